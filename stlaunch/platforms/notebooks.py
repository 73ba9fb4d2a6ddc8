"""Notebook servers and data-science platforms."""

from __future__ import annotations

from stlaunch.platforms.model import Layer, Platform, Prefix, documented, read, recalled

_MEBIBYTE = 1024 * 1024
_HUB = "jupyterhub/jupyterhub@2841153d spawner.py get_env"
_JSP = "jupyterhub/jupyter-server-proxy@cf61ed1 handlers.py, websocket.py"
_TERMINALS = "jupyter_server_terminals 0.5 app.py"
_JHUB_APPS = "jhub_apps 2026.9.1; jhub-app-proxy@834ac13"
_SAGEMAKER = "aws/sagemaker-distribution@aa8a7fb0"
_CDSW = "docs.cloudera.com/cdsw/1.10.1 embedded-web-apps"
_KUBEFLOW = "kubeflow/notebooks@177b0986 notebook_controller.go"
_RENKU = "SwissDataScienceCenter/renku-data-services@e81895b4 core_sessions.py"
_SHINYPROXY = "openanalytics/containerproxy@b3bdf4e2"
_DOMINO = "public start scripts that read DOMINO_RUN_HOST_PATH"
_DEEPNOTE = "RobotLocomotion/drake pydrake, which serves on Deepnote"
_DATAIKU = "doc.dataiku.com, Code Studios: expose a port"
_AZUREML = "microsoft/responsible-ai-toolbox rai_core_flask azure_nb_environment.py"
_ABSOLUTE = (
    "{JUPYTERHUB_SERVICE_PREFIX}/proxy/absolute/{port} or "
    "{JUPYTER_SERVER_URL.path}/proxy/absolute/{port}"
)
_JUPYTER_PREFIX_HEADERS = ("X-Forwarded-Prefix", "X-Forwarded-Context", "X-ProxyContextPath")

NOTEBOOKS = (
    Platform(
        name="sagemaker-code-editor",
        title="SageMaker Studio Code Editor",
        layer=Layer.EDITOR,
        signs=(read("SAGEMAKER_APP_TYPE_LOWERCASE=codeeditor", _SAGEMAKER),),
        host=read("127.0.0.1", "coder/code-server@88c2b7432, which it is made of"),
        base_path=read("/codeeditor/default/ports/{port}", "public issues, four times the same"),
        other_paths=read(("/codeeditor/default/absports/{port}",), "the same"),
        mount_paths=read(("/absports/{port}",), "the same"),
        prefix=read(Prefix.EITHER, "the same"),
        websocket=recalled(True),
        hint="/ports/PORT/ strips the path, /absports/PORT/ a part of it; /proxy/PORT/ is a 404.",
    ),
    Platform(
        name="sagemaker-jupyterlab",
        title="SageMaker Studio JupyterLab",
        layer=Layer.EDITOR,
        signs=(read("SAGEMAKER_APP_TYPE_LOWERCASE=jupyterlab", _SAGEMAKER),),
        host=read("127.0.0.1", _JSP),
        base_path=read("/jupyterlab/default/proxy/{port}", _SAGEMAKER),
        other_paths=read(("/jupyterlab/default/proxy/absolute/{port}",), _JSP),
        prefix=read(Prefix.STRIPPED, _JSP),
        peers=read(("loopback",), _JSP),
        prefix_headers=read(_JUPYTER_PREFIX_HEADERS, _JSP),
        websocket=read(True, _JSP),
        message_bytes=read(10 * _MEBIBYTE, _JSP),
        hint="The address needs its final slash.",
    ),
    Platform(
        name="sagemaker-notebook",
        title="SageMaker notebook instance",
        layer=Layer.EDITOR,
        signs=(read("/home/ec2-user/SageMaker", "gradio-app/gradio utils.py"),),
        base_path=recalled("/proxy/{port}"),
        prefix=recalled(Prefix.STRIPPED),
        hint="Usually at https://NAME.notebook.REGION.sagemaker.aws/proxy/PORT/.",
    ),
    Platform(
        name="kubeflow",
        title="Kubeflow notebook",
        layer=Layer.EDITOR,
        signs=(read("NB_PREFIX", _KUBEFLOW),),
        host=read("0.0.0.0", _KUBEFLOW),
        port=recalled("8888"),
        base_path=read("{NB_PREFIX}", _KUBEFLOW),
        prefix=read(Prefix.EITHER, _KUBEFLOW),
        peers=read(("private",), _KUBEFLOW),
        prefix_headers=read(("X-RStudio-Root-Path",), _KUBEFLOW),
        identity_headers=recalled(("kubeflow-userid",)),
    ),
    Platform(
        name="renku",
        title="Renku session",
        layer=Layer.EDITOR,
        signs=(read("RENKU_SESSION=1", _RENKU),),
        port=read("{RENKU_SESSION_PORT}", _RENKU),
        host=read("{RENKU_SESSION_IP}", _RENKU),
        public_url=read("{RENKU_BASE_URL}", _RENKU),
        base_path=read("{RENKU_BASE_URL_PATH}", _RENKU),
        prefix=read(Prefix.EITHER, _RENKU),
        peers=read(("private",), _RENKU),
    ),
    Platform(
        name="shinyproxy",
        title="ShinyProxy",
        layer=Layer.EDITOR,
        signs=(read("SHINYPROXY_PUBLIC_PATH", _SHINYPROXY),),
        host=read("0.0.0.0", _SHINYPROXY),
        base_path=read("{SHINYPROXY_PUBLIC_PATH}", _SHINYPROXY),
        prefix=read(Prefix.STRIPPED, _SHINYPROXY),
        peers=read(("private",), _SHINYPROXY),
        websocket=read(True, _SHINYPROXY),
        identity_headers=read(("X-SP-UserId", "X-SP-UserGroups"), _SHINYPROXY),
    ),
    Platform(
        name="dataiku",
        title="Dataiku Code Studio",
        layer=Layer.EDITOR,
        signs=(documented("DKU_CODE_STUDIO_BROWSER_PATH_*", _DATAIKU),),
        base_path=documented("{DKU_CODE_STUDIO_BROWSER_PATH_{port}}", _DATAIKU),
        prefix=documented(Prefix.EITHER, _DATAIKU),
    ),
    Platform(
        name="domino",
        title="Domino",
        layer=Layer.EDITOR,
        signs=(read("DOMINO_RUN_HOST_PATH", _DOMINO),),
        port=read("8888", _DOMINO),
        host=read("0.0.0.0", _DOMINO),
        base_path=read("{DOMINO_RUN_HOST_PATH}", _DOMINO),
        prefix=read(Prefix.EITHER, _DOMINO),
        identity_headers=recalled(("domino-username",)),
        hint="Scripts in the wild disagree whether the path is stripped; both work.",
    ),
    Platform(
        name="cloudera",
        title="Cloudera AI",
        layer=Layer.EDITOR,
        signs=(documented("CDSW_APP_PORT CDSW_DOMAIN", _CDSW),),
        port=documented("{CDSW_APP_PORT}", _CDSW),
        host=documented("127.0.0.1", _CDSW),
        prefix=documented(Prefix.NONE, _CDSW),
        peers=documented(("loopback",), _CDSW),
        websocket=recalled(True),
    ),
    Platform(
        name="databricks-driver",
        title="Databricks cluster (driver proxy)",
        layer=Layer.EDITOR,
        signs=(
            read(
                "DATABRICKS_RUNTIME_VERSION !DATABRICKS_APP_PORT",
                "rai_core_flask and plotly/dash, which test it",
            ),
        ),
        host=recalled("0.0.0.0"),
        prefix=read(Prefix.EITHER, "public notebooks, which disagree"),
        hint="The address is /driver-proxy/o/ORG/CLUSTER/PORT/.",
    ),
    Platform(
        name="azure-ml",
        title="Azure Machine Learning compute",
        layer=Layer.EDITOR,
        signs=(read("/mnt/azmnt/.nbvm", _AZUREML),),
        prefix=read(Prefix.NONE, _AZUREML),
        hint="The address is https://INSTANCE-PORT.SUFFIX, both from /mnt/azmnt/.nbvm.",
    ),
    Platform(
        name="colab-enterprise",
        title="Colab Enterprise",
        layer=Layer.EDITOR,
        signs=(read("VERTEX_PRODUCT=COLAB_ENTERPRISE", "googlecolab/colabtools@3c07d77"),),
        prefix=recalled(Prefix.STRIPPED),
    ),
    Platform(
        name="colab",
        title="Google Colab",
        layer=Layer.EDITOR,
        signs=(read("COLAB_RELEASE_TAG", "googlecolab/colabtools@3c07d77 output/_util.py"),),
        prefix=recalled(Prefix.NONE),
        websocket=recalled(False),
        hint="google.colab.kernel.proxyPort(PORT) returns the address.",
    ),
    Platform(
        name="kaggle",
        title="Kaggle notebook",
        layer=Layer.EDITOR,
        signs=(read("KAGGLE_KERNEL_RUN_TYPE", "Kaggle/docker-python@78aaa43"),),
        hint="No browser reaches a port here; a tunnel is needed.",
    ),
    Platform(
        name="deepnote",
        title="Deepnote",
        layer=Layer.EDITOR,
        signs=(read("DEEPNOTE_PROJECT_ID", _DEEPNOTE),),
        port=read("8080", _DEEPNOTE),
        host=recalled("0.0.0.0"),
        public_url=read("https://{DEEPNOTE_PROJECT_ID}.deepnoteproject.com", _DEEPNOTE),
        prefix=read(Prefix.NONE, _DEEPNOTE),
        websocket=recalled(True),
    ),
    Platform(
        name="jhub-apps",
        title="jhub-apps",
        layer=Layer.EDITOR,
        signs=(read("JHUB_APPS_SPAWNER_PORT JUPYTERHUB_SERVICE_PREFIX", _JHUB_APPS),),
        base_path=read("{JUPYTERHUB_SERVICE_PREFIX}", _JHUB_APPS),
        prefix=read(Prefix.STRIPPED, _JHUB_APPS),
        websocket=read(True, _JHUB_APPS),
        identity_headers=read(("X-Forwarded-User-Data",), _JHUB_APPS),
        hint="Its proxy holds the port of JUPYTERHUB_SERVICE_URL; the app's own goes into --port.",
    ),
    Platform(
        name="jupyter-terminal",
        title="Jupyter terminal (jupyter-server-proxy)",
        layer=Layer.EDITOR,
        signs=(read("JUPYTER_SERVER_URL JUPYTER_SERVER_ROOT", _TERMINALS),),
        host=read("127.0.0.1", _JSP),
        base_path=read(
            "{JUPYTERHUB_SERVICE_PREFIX}/proxy/{port} or {JUPYTER_SERVER_URL.path}/proxy/{port}",
            _JSP,
        ),
        other_paths=read(
            (_ABSOLUTE,),
            _JSP,
        ),
        prefix=read(Prefix.STRIPPED, _JSP),
        peers=read(("loopback",), _JSP),
        prefix_headers=read(_JUPYTER_PREFIX_HEADERS, _JSP),
        websocket=read(True, _JSP),
        message_bytes=read(10 * _MEBIBYTE, _JSP),
        hint="Needs jupyter-server-proxy; /proxy/absolute/PORT/ keeps the path and works as well.",
    ),
    Platform(
        name="jupyter-kernel",
        title="Jupyter kernel (jupyter-server-proxy)",
        layer=Layer.EDITOR,
        signs=(read("JPY_PARENT_PID", "jupyter_client 8.9 launcher.py"),),
        host=read("127.0.0.1", _JSP),
        base_path=read("{JUPYTERHUB_SERVICE_PREFIX}/proxy/{port}", _JSP),
        other_paths=read(("{JUPYTERHUB_SERVICE_PREFIX}/proxy/absolute/{port}",), _JSP),
        prefix=read(Prefix.STRIPPED, _JSP),
        peers=read(("loopback",), _JSP),
        prefix_headers=read(_JUPYTER_PREFIX_HEADERS, _JSP),
        websocket=read(True, _JSP),
        message_bytes=read(10 * _MEBIBYTE, _JSP),
    ),
    Platform(
        name="jupyterhub",
        title="JupyterHub server or service",
        layer=Layer.EDITOR,
        signs=(
            read(
                "JUPYTERHUB_SERVICE_PREFIX JUPYTERHUB_SERVICE_URL !JUPYTER_SERVER_URL "
                "!JPY_PARENT_PID !JHUB_APPS_SPAWNER_PORT",
                _HUB,
            ),
        ),
        port=read("{JUPYTERHUB_SERVICE_URL.port}", _HUB),
        host=read("{JUPYTERHUB_SERVICE_URL.host}", _HUB),
        public_url=read("{JUPYTERHUB_PUBLIC_URL}", _HUB),
        base_path=read("{JUPYTERHUB_SERVICE_PREFIX}", _HUB),
        prefix=read(Prefix.KEPT, "jupyterhub/configurable-http-proxy@4bc5891"),
        websocket=read(True, "jupyterhub/configurable-http-proxy@4bc5891"),
        hint="Started by a proxy with a port of its own (jhsingle-native-proxy), give --port.",
    ),
    Platform(
        name="posit-connect",
        title="Posit Connect",
        layer=Layer.EDITOR,
        signs=(
            read("POSIT_PRODUCT=CONNECT", "posit-sdk-py"),
            read("RSTUDIO_PRODUCT=CONNECT", "posit-sdk-py"),
        ),
        prefix_headers=read(("RStudio-Connect-App-Base-URL",), "posit-sdk-py"),
        prefix=read(Prefix.EITHER, "fastapi-workbench 1.0.12"),
        websocket=recalled(True),
        identity_headers=read(("Posit-Connect-User-Session-Token",), "posit-sdk-py"),
        hint="Connect starts Streamlit apps itself; stlaunch is rarely in play.",
    ),
)
