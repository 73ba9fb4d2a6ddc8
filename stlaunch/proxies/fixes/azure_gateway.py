"""Azure Application Gateway v2, as Bicep; the WebSocket it hands on by itself."""

from __future__ import annotations

from stlaunch.proxies.fixes.model import Need, Part, Recipe

RECIPE = Recipe(
    places={
        "settings": "in Bicep, in the `properties` of the backendHttpSettingsCollection's entry",
        "policy": "in Bicep, in the WAF policy's `policySettings`",
        "rules": "in Bicep, in the WAF policy's `properties`",
        "rewrite": "in Bicep, in the rewrite rule's `actionSet`",
    },
    reload="az deployment group create --resource-group GROUP --template-file FILE",
    parts={
        Need.HOST: (
            Part(
                "settings",
                "pickHostNameFromBackendAddress: false",
                "true sends the backend's address as Host, and Streamlit compares Host with "
                "Origin.",
            ),
        ),
        Need.CLIENT: (
            Part(
                "rewrite",
                (
                    "requestHeaderConfigurations: [\n"
                    "  { headerName: 'X-Forwarded-For', headerValue: '{var_client_ip}' }\n"
                    "  { headerName: 'X-Forwarded-Host', headerValue: '{http_req_host}' }\n"
                    "]"
                ),
                "The app sees the client's address and the public host, whatever the client "
                "claims.",
            ),
        ),
        Need.BODY_SIZE: (
            Part(
                "policy",
                "fileUploadLimitInMb: <<body_mb>>\nrequestBodyEnforcement: false",
                "A firewall policy refuses large bodies unless told otherwise.",
            ),
        ),
        Need.IDLE_TIMEOUT: (
            Part(
                "settings",
                "requestTimeout: <<idle_s>>",
                "The gateway cuts after 20 s unless told otherwise.",
            ),
        ),
        Need.SELF_CHECK: (
            Part(
                "rules",
                (
                    "customRules: [\n"
                    "  {\n"
                    "    name: 'diagnostics'\n"
                    "    priority: 10\n"
                    "    ruleType: 'MatchRule'\n"
                    "    action: 'Block'\n"
                    "    matchConditions: [\n"
                    "      {\n"
                    "        matchVariables: [ { variableName: 'RequestUri' } ]\n"
                    "        operator: 'Regex'\n"
                    "        transforms: [ 'UrlDecode' ]\n"
                    "        matchValues: [ '/(_stlaunch(/|/(<<diagnostics>>)/?)?|"
                    "_stcore/metrics)([?].*)?$' ]\n"
                    "      }\n"
                    "    ]\n"
                    "  }\n"
                    "]"
                ),
                "Diagnostic pages and metrics are not for everybody.",
            ),
        ),
        Need.AFFINITY: (
            Part(
                "settings",
                "cookieBasedAffinity: 'Enabled'\naffinityCookieName: '<<cookie>>'",
                "Streamlit keeps sessions and uploads in one process; the cookie chooses the "
                "replica.",
            ),
        ),
    },
)
