"""Web IDEs and development environments."""

from __future__ import annotations

from stlaunch.platforms.model import Layer, Platform, Prefix, documented, read, recalled

_CODE_SERVER = "coder/code-server@88c2b7432 src/node"
_CODER = "coder/coder agent/agent_test.go TestAgent_CoderEnvVars"
_CODESPACES = "docs.github.com/codespaces default environment variables"
_SHINY = "posit-dev/py-shiny 1.8.0 _hostenv.py"
_GITPOD = "gitpod-io/gitpod@4f45d02eac components/ws-proxy"
_ONA = "vscode-settings and n98 setup scripts that test GITPOD_ENVIRONMENT_ID"

EDITORS = (
    Platform(
        name="codespaces",
        title="GitHub Codespaces",
        layer=Layer.EDITOR,
        signs=(documented("CODESPACES=true CODESPACE_NAME", _CODESPACES),),
        public_url=read(
            "https://{CODESPACE_NAME}-{port}.{GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN}", _SHINY
        ),
        prefix=documented(Prefix.NONE, _CODESPACES),
        websocket=recalled(True),
        hint="Its Origin may name localhost; the origin proof covers that.",
    ),
    Platform(
        name="code-server",
        title="code-server",
        layer=Layer.EDITOR,
        # SageMaker's Code Editor is made of it, and has paths of its own.
        signs=(read("VSCODE_PROXY_URI !SAGEMAKER_APP_TYPE_LOWERCASE", _CODE_SERVER),),
        host=read("127.0.0.1", _CODE_SERVER),
        public_url=read("{VSCODE_PROXY_URI}", _CODE_SERVER),
        other_paths=read(("{VSCODE_PROXY_URI.path:proxy>absproxy}",), _CODE_SERVER),
        prefix=read(Prefix.STRIPPED, _CODE_SERVER),
        peers=read(("loopback",), _CODE_SERVER),
        websocket=read(True, _CODE_SERVER),
        hint="/absproxy/PORT/ keeps the path; it works too.",
    ),
    Platform(
        name="posit-workbench",
        title="Posit Workbench",
        layer=Layer.EDITOR,
        signs=(read("RS_SERVER_URL RS_SESSION_URL", _SHINY),),
        host=read("127.0.0.1", "fastapi-workbench 1.0.12"),
        prefix=read(Prefix.EITHER, "fastapi-workbench 1.0.12"),
        peers=read(("loopback",), "fastapi-workbench 1.0.12"),
        websocket=recalled(True),
        hint="The address has a token: /usr/lib/rstudio-server/bin/rserver-url -l PORT prints it.",
    ),
    Platform(
        name="coder",
        title="Coder",
        layer=Layer.EDITOR,
        signs=(read("CODER=true CODER_WORKSPACE_NAME", _CODER),),
        public_url=recalled(
            "https://{port}--{CODER_WORKSPACE_AGENT_NAME}--{CODER_WORKSPACE_NAME}--"
            "{CODER_WORKSPACE_OWNER_NAME}.WILDCARD"
        ),
        prefix=recalled(Prefix.EITHER),
        websocket=recalled(True),
    ),
    Platform(
        name="gitpod",
        title="Gitpod Classic",
        layer=Layer.EDITOR,
        signs=(read("GITPOD_WORKSPACE_ID GITPOD_WORKSPACE_URL", _GITPOD),),
        public_url=recalled("https://{port}-{GITPOD_WORKSPACE_URL.host}"),
        prefix=read(Prefix.NONE, _GITPOD),
        websocket=read(True, _GITPOD),
        hint="It adds lines to X-Forwarded-Proto, -Host and -Port that may be there already.",
    ),
    Platform(
        name="ona",
        title="Ona (Gitpod)",
        layer=Layer.EDITOR,
        signs=(read("GITPOD_ENVIRONMENT_ID", _ONA),),
        prefix=read(Prefix.NONE, _ONA),
        hint="`gitpod environment port list` prints the address.",
    ),
    Platform(
        name="cloud-shell",
        title="Google Cloud Shell",
        layer=Layer.EDITOR,
        signs=(read("CLOUD_SHELL=true", "google-gemini/gemini-cli, which tests it"),),
        public_url=recalled("https://{port}-{WEB_HOST}"),
        prefix=recalled(Prefix.NONE),
        websocket=recalled(True),
    ),
    Platform(
        name="replit",
        title="Replit",
        layer=Layer.EDITOR,
        signs=(read("REPL_ID REPLIT_DEV_DOMAIN", "public scripts that read REPLIT_DEV_DOMAIN"),),
        host=recalled("0.0.0.0"),
        public_url=read("https://{REPLIT_DEV_DOMAIN}", "public scripts, e.g. id 19752373950"),
        prefix=read(Prefix.NONE, "public scripts that read REPLIT_DEV_DOMAIN"),
        websocket=recalled(True),
    ),
    Platform(
        name="cloud9",
        title="AWS Cloud9",
        layer=Layer.EDITOR,
        signs=(recalled("C9_PROJECT"), recalled("C9_PID")),
        port=documented("8080", "AWS Cloud9 user guide 2023, ports 8080 to 8082"),
        prefix=recalled(Prefix.NONE),
    ),
)
