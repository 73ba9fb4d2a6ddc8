"""For each platform a realistic environment, and one that only resembles it.

Owns data alone. The values are made up; secrets look like real ones, so that a test can search all
output for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

HUB_TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
SUPERVISOR_TOKEN = "c5a1b8d2f4e64b1c9d7e3f2a1b0c9d8e7f6a5b4c3d2e1f00"
DATABRICKS_SECRET = "dose1234567890abcdef1234567890abcdef"
SECRETS = (HUB_TOKEN, SUPERVISOR_TOKEN, DATABRICKS_SECRET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One platform's environment and files, and a near miss of them."""

    environ: dict[str, str]
    files: tuple[str, ...] = ()
    near: dict[str, str] = field(default_factory=dict)
    near_files: tuple[str, ...] = ()


_HUB = {
    "JUPYTERHUB_API_TOKEN": HUB_TOKEN,
    "JUPYTERHUB_USER": "ann",
    "JUPYTERHUB_BASE_URL": "/",
    "JUPYTERHUB_SERVICE_PREFIX": "/user/ann/",
    "JUPYTERHUB_SERVICE_URL": "http://0.0.0.0:8888/user/ann/",
    "JUPYTERHUB_PUBLIC_URL": "",
}

SAMPLES: dict[str, Sample] = {
    "codespaces": Sample(
        environ={
            "CODESPACES": "true",
            "CODESPACE_NAME": "ominous-train-4x7",
            "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": "app.github.dev",
        },
        near={"CODESPACES": "false", "CODESPACE_NAME": "ominous-train-4x7"},
    ),
    "code-server": Sample(
        environ={"VSCODE_PROXY_URI": "https://ide.example.com/proxy/{{port}}/", "PORT": "8080"},
        near={"VSCODE_PROXY": "https://ide.example.com/proxy/{{port}}/", "PORT": "8080"},
    ),
    "posit-workbench": Sample(
        environ={"RS_SERVER_URL": "https://wb.example.com/", "RS_SESSION_URL": "/s/5d1f/"},
        near={"RS_SERVER_URL": "https://wb.example.com/"},
    ),
    "coder": Sample(
        environ={
            "CODER": "true",
            "CODER_WORKSPACE_NAME": "dev",
            "CODER_WORKSPACE_OWNER_NAME": "ann",
            "CODER_WORKSPACE_AGENT_NAME": "main",
        },
        near={"CODER": "true"},
    ),
    "gitpod": Sample(
        environ={
            "GITPOD_WORKSPACE_ID": "ann-app-x1y2z3",
            "GITPOD_WORKSPACE_URL": "https://ann-app-x1y2z3.ws-eu1.gitpod.io",
        },
        near={"GITPOD_HOST": "https://gitpod.io"},
    ),
    "ona": Sample(
        environ={"GITPOD_ENVIRONMENT_ID": "0198c3e2-aaaa-bbbb-cccc-1234567890ab"},
        near={"GITPOD_API_URL": "https://app.gitpod.io"},
    ),
    "cloud-shell": Sample(
        environ={"CLOUD_SHELL": "true", "WEB_HOST": "cs-1-default.cs-europe-west1.cloudshell.dev"},
        near={"CLOUD_SHELL": ""},
    ),
    "replit": Sample(
        environ={"REPL_ID": "4f0e", "REPLIT_DEV_DOMAIN": "4f0e-00-abc.picard.replit.dev"},
        near={"REPL_ID": "4f0e"},
    ),
    "cloud9": Sample(environ={"C9_PROJECT": "demo"}, near={"C9": "demo"}),
    "sagemaker-code-editor": Sample(
        environ={
            "SAGEMAKER_APP_TYPE": "CodeEditor",
            "SAGEMAKER_APP_TYPE_LOWERCASE": "codeeditor",
            # It may be set as well: Code Editor is made of code-server, and serves no /proxy/.
            "VSCODE_PROXY_URI": "https://studio.example.com/codeeditor/default/proxy/{{port}}/",
        },
        files=("/opt/ml/metadata/resource-metadata.json",),
        near={"SAGEMAKER_APP_TYPE_LOWERCASE": "kernelgateway"},
    ),
    "sagemaker-jupyterlab": Sample(
        environ={"SAGEMAKER_APP_TYPE": "JupyterLab", "SAGEMAKER_APP_TYPE_LOWERCASE": "jupyterlab"},
        near={"SAGEMAKER_APP_TYPE": "JupyterLab"},
    ),
    "sagemaker-notebook": Sample(
        environ={}, files=("/home/ec2-user/SageMaker",), near_files=("/home/ec2-user",)
    ),
    "kubeflow": Sample(
        environ={"NB_PREFIX": "/notebook/team-a/ann"}, near={"NB_USER": "jovyan", "NB_PREFIX": ""}
    ),
    "renku": Sample(
        environ={
            "RENKU_SESSION": "1",
            "RENKU_BASE_URL": "https://renku.example.org/sessions/ann-1",
            "RENKU_BASE_URL_PATH": "/sessions/ann-1",
            "RENKU_SESSION_IP": "0.0.0.0",
            "RENKU_SESSION_PORT": "8888",
        },
        near={"RENKU_BASE_URL": "https://renku.example.org"},
    ),
    "shinyproxy": Sample(
        environ={
            "SHINYPROXY_PUBLIC_PATH": "/app_proxy/3f1c0d9e-7d0b-4ae4-a0f0-0123456789ab/",
            "SHINYPROXY_USERNAME": "ann",
            "SHINYPROXY_USERGROUPS": "staff",
        },
        near={"SHINYPROXY_USERNAME": "ann"},
    ),
    "dataiku": Sample(
        environ={
            "DIP_HOME": "/home/dataiku",
            "DKU_CODE_STUDIO_BROWSER_PATH_8501": "/code-studios/DEMO/${DKU_CODE_STUDIO_ID}/8501",
            "DKU_CODE_STUDIO_ID": "a1b2",
        },
        near={"DIP_HOME": "/home/dataiku"},
    ),
    "domino": Sample(
        environ={"DOMINO_RUN_HOST_PATH": "/apps/abc123", "DOMINO_PROJECT_ID": "1"},
        near={"DOMINO_PROJECT_ID": "1"},
    ),
    "cloudera": Sample(
        environ={"CDSW_APP_PORT": "8100", "CDSW_DOMAIN": "ml.example.com", "CDSW_ENGINE_ID": "x9"},
        near={"CDSW_APP_PORT": "8100"},
    ),
    "databricks-apps": Sample(
        environ={
            "DATABRICKS_APP_NAME": "demo",
            "DATABRICKS_APP_PORT": "8000",
            "DATABRICKS_APP_URL": "https://demo-1234.eu.databricksapps.com",
            "DATABRICKS_HOST": "https://adb-1.azuredatabricks.net",
            "DATABRICKS_CLIENT_SECRET": DATABRICKS_SECRET,
            "STREAMLIT_SERVER_PORT": "8000",
            "STREAMLIT_SERVER_ADDRESS": "0.0.0.0",
            "STREAMLIT_SERVER_ENABLE_CORS": "false",
            "STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION": "false",
        },
        near={"DATABRICKS_HOST": "https://adb-1.azuredatabricks.net"},
    ),
    "databricks-driver": Sample(
        environ={"DATABRICKS_RUNTIME_VERSION": "16.4"},
        near={"DATABRICKS_RUNTIME_VERSION": "16.4", "DATABRICKS_APP_PORT": "8000"},
    ),
    "snowflake-spcs": Sample(
        environ={"SNOWFLAKE_HOST": "org-acc.snowflakecomputing.com", "SNOWFLAKE_ACCOUNT": "acc"},
        files=("/snowflake/session/token",),
        near={"SNOWFLAKE_HOST": "org-acc.snowflakecomputing.com"},
    ),
    "azure-ml": Sample(environ={}, files=("/mnt/azmnt/.nbvm",), near_files=("/mnt/azmnt",)),
    "colab-enterprise": Sample(
        environ={"VERTEX_PRODUCT": "COLAB_ENTERPRISE"}, near={"VERTEX_PRODUCT": "WORKBENCH"}
    ),
    "colab": Sample(
        environ={"COLAB_RELEASE_TAG": "release-colab-20261101", "COLAB_GPU": "0"},
        near={"COLAB_GPU": "0"},
    ),
    "kaggle": Sample(
        environ={"KAGGLE_KERNEL_RUN_TYPE": "Interactive"},
        near={"KAGGLE_URL_BASE": "https://www.kaggle.com"},
    ),
    "deepnote": Sample(environ={"DEEPNOTE_PROJECT_ID": "3b0c7f9e-1"}, near={"DEEPNOTE_TOKEN": "x"}),
    "jhub-apps": Sample(
        environ={**_HUB, "JHUB_APPS_SPAWNER_PORT": "8888"},
        near={"JHUB_APPS_SPAWNER_PORT": "8888"},
    ),
    "jupyter-terminal": Sample(
        environ={
            "JUPYTER_SERVER_URL": "http://localhost:8888/lab/",
            "JUPYTER_SERVER_ROOT": "/home/ann",
        },
        near={"JUPYTER_SERVER_ROOT": "/home/ann"},
    ),
    "jupyter-kernel": Sample(
        environ={**_HUB, "JPY_PARENT_PID": "17", "JPY_SESSION_NAME": "/home/ann/x.ipynb"},
        near={"JPY_SESSION_NAME": "/home/ann/x.ipynb"},
    ),
    "jupyterhub": Sample(
        environ=_HUB, near={**_HUB, "JUPYTER_SERVER_URL": "http://localhost:8888/user/ann/"}
    ),
    "posit-connect": Sample(
        environ={"POSIT_PRODUCT": "CONNECT", "CONNECT_CONTENT_GUID": "7b0c"},
        near={"CONNECT_SERVER": "https://connect.example.com", "POSIT_PRODUCT": "WORKBENCH"},
    ),
    "huggingface": Sample(
        environ={
            "SPACE_ID": "ann/demo",
            "SPACE_HOST": "ann-demo.hf.space",
            "SPACE_AUTHOR_NAME": "ann",
        },
        near={"SPACE_ID": "ann/demo", "SYSTEM": "linux"},
    ),
    "cloud-run": Sample(
        environ={"K_SERVICE": "demo", "K_REVISION": "demo-00001", "PORT": "8080"},
        near={"K_SERVICE": "demo", "PORT": "8080"},
    ),
    "app-engine": Sample(
        environ={"GAE_INSTANCE": "aef-1", "GAE_VERSION": "v1", "PORT": "8080"},
        near={"GAE_VERSION": "v1", "PORT": "8080"},
    ),
    "azure-app-service": Sample(
        environ={
            "WEBSITE_SITE_NAME": "demo",
            "WEBSITE_HOSTNAME": "demo.azurewebsites.net",
            "SERVER_PORT": "8000",
            "PORT": "8000",
        },
        near={"WEBSITE_SITE_NAME": "demo", "PORT": "8000"},
    ),
    "azure-container-apps": Sample(
        environ={
            "CONTAINER_APP_NAME": "demo",
            "CONTAINER_APP_ENV_DNS_SUFFIX": "blue-1.eastus.azurecontainerapps.io",
            "CONTAINER_APP_HOSTNAME": "demo--r1.blue-1.eastus.azurecontainerapps.io",
            "CONTAINER_APP_PORT": "8080",
        },
        near={"CONTAINER_APP_NAME": "demo"},
    ),
    "render": Sample(
        environ={
            "RENDER": "true",
            "RENDER_EXTERNAL_URL": "https://demo.onrender.com",
            "PORT": "10000",
        },
        near={"RENDER": "no", "PORT": "10000"},
    ),
    "railway": Sample(
        environ={
            "RAILWAY_PROJECT_ID": "p1",
            "RAILWAY_PUBLIC_DOMAIN": "demo.up.railway.app",
            "PORT": "3000",
        },
        near={"RAILWAY_TOKEN": "x", "PORT": "3000"},
    ),
    "fly": Sample(
        environ={"FLY_APP_NAME": "demo", "FLY_MACHINE_ID": "148e", "FLY_REGION": "ams"},
        near={"FLY_APP_NAME": "demo"},
    ),
    "koyeb": Sample(
        environ={"KOYEB_PUBLIC_DOMAIN": "demo-ann.koyeb.app", "PORT": "8000"},
        near={"KOYEB_TOKEN": "x", "PORT": "8000"},
    ),
    "heroku": Sample(
        environ={
            "DYNO": "web.1",
            "PORT": "23456",
            "HEROKU_APP_NAME": "demo",
            "HEROKU_APP_DEFAULT_DOMAIN_NAME": "demo-1234.herokuapp.com",
        },
        near={"DYNO": "web.1", "PORT": "23456"},
    ),
    "heroku-or-dokku": Sample(environ={"DYNO": "web.1", "PORT": "5000"}, near={"PORT": "5000"}),
    "coolify": Sample(
        environ={
            "COOLIFY_RESOURCE_UUID": "k0s",
            "COOLIFY_URL": "https://demo.example.com",
            "COOLIFY_FQDN": "demo.example.com",
            "PORT": "3000",
        },
        near={"COOLIFY_URL": "https://demo.example.com", "PORT": "3000"},
    ),
    "aws-ecs": Sample(
        environ={"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/abc"},
        near={"AWS_REGION": "eu-central-1"},
    ),
    "streamlit-cloud": Sample(
        environ={"HOSTNAME": "streamlit"},
        files=("/mount/src", "/home/adminuser/venv"),
        near={"HOSTNAME": "streamlit"},
        near_files=("/mount/src",),
    ),
    "pythonanywhere": Sample(
        environ={"DOMAIN_SOCKET": "/var/sockets/ann.sock"}, near={"PYTHONANYWHERE_DOMAIN": "x"}
    ),
    "vercel": Sample(environ={"VERCEL": "1", "VERCEL_URL": "demo.vercel.app"}, near={"VERCEL": ""}),
    "home-assistant": Sample(
        environ={"SUPERVISOR_TOKEN": SUPERVISOR_TOKEN}, near={"SUPERVISOR_TOKEN": ""}
    ),
    "nginx-proxy": Sample(
        environ={
            "VIRTUAL_HOST": "demo.example.com",
            "VIRTUAL_PATH": "/app",
            "VIRTUAL_PORT": "8501",
            "LETSENCRYPT_HOST": "demo.example.com",
        },
        near={"VIRTUAL_ENV": "/app/.venv"},
    ),
    "kubernetes": Sample(
        environ={
            "KUBERNETES_SERVICE_HOST": "10.96.0.1",
            "KUBERNETES_PORT": "tcp://10.96.0.1:443",
        },
        near={"KUBERNETES_PORT": "tcp://10.96.0.1:443", "KUBECONFIG": "/root/.kube/config"},
    ),
    "docker": Sample(environ={}, files=("/.dockerenv",), near_files=("/.dockerinit",)),
    "podman": Sample(environ={}, files=("/run/.containerenv",), near_files=("/run/container",)),
    "container": Sample(environ={"container": "lxc"}, near={"CONTAINER": "lxc"}),
}
