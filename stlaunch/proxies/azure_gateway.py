"""Azure Application Gateway v2, as Bicep; it passes the WebSocket on by default."""

from __future__ import annotations

from collections.abc import Sequence

from stlaunch.proxies.model import IN_PIECES, NOT_TRIED, Kind, Lines, Part, Parts, Recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.security_headers import Header, header_lines
from stlaunch.proxies.signs import cookie, sent, server
from stlaunch.proxies.site import Site

_VALIDATE = "az bicep build --file FILE"
_MAX_FILE_MB = 4000
"""What a WAF policy takes with the rules of CRS 3.2."""
_SIGNS = (
    server(r"Microsoft-Azure-Application-Gateway"),
    cookie(r"^ApplicationGatewayAffinity"),
    sent("x-appgw-trace-id"),
)


# --- its lines for each need


def _headers(_need: Need, headers: Sequence[Header]) -> str:
    lines = "\n".join(
        f"  {{ headerName: '{name}', headerValue: '{_escaped(value)}' }}" for name, value in headers
    )
    return f"responseHeaderConfigurations: [\n{lines}\n]"


def _identity(site: Site) -> tuple[Part, ...]:
    names = (*site.identity_headers, "Forwarded", "X-Forwarded-Prefix")
    lines = "\n".join(f"{{ headerName: '{name}', headerValue: '' }}" for name in names)
    why = "Clients must not choose their own identity or address; no value removes the header."
    return (Part("request", lines, why),)


def _body_size(site: Site) -> tuple[Part, ...]:
    wanted = int(site.values["body_mb"])
    allowed = min(wanted, _MAX_FILE_MB)
    why = "A firewall policy refuses large bodies by default."
    return (
        Part(
            "policy",
            f"fileUploadLimitInMb: {allowed}\nrequestBodyEnforcement: false",
            why if allowed == wanted else f"{why} {IN_PIECES}",
        ),
    )


def _escaped(text: str) -> str:
    return text.replace("'", "\\'")


_LINES: Lines = {
    **header_lines("rewrite", _headers),
    Need.HOST: (
        Part(
            "settings",
            "pickHostNameFromBackendAddress: false",
            "true sends the backend's address as Host, and Streamlit compares Host with Origin.",
        ),
    ),
    Need.CLIENT: (
        Part(
            "request",
            (
                "{ headerName: 'X-Forwarded-For', headerValue: '{var_client_ip}' }\n"
                "{ headerName: 'X-Forwarded-Host', headerValue: '{http_req_host}' }"
            ),
            "The app sees the client's address and the public host, whatever the client claims.",
        ),
    ),
    Need.IDENTITY: _identity,
    Need.BODY_SIZE: _body_size,
    Need.IDLE_TIMEOUT: (
        Part(
            "settings",
            "requestTimeout: <<idle_s>>",
            "The gateway cuts after 20 s by default.",
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
                "        matchValues: [ '/(_stlaunch(/+((<<diagnostics>>)/*)?)?|"
                "_stcore/+metrics/*)([?].*)?$' ]\n"
                "      }\n"
                "    ]\n"
                "  }\n"
                "]"
            ),
            "Diagnostic pages and metrics are for operators only.",
        ),
    ),
    Need.AFFINITY: (
        Part(
            "settings",
            "cookieBasedAffinity: 'Enabled'\naffinityCookieName: '<<cookie>>'",
            "Streamlit keeps sessions and uploads in one process; the cookie chooses the replica.",
        ),
    ),
}


# --- its complete configuration


def _with_addresses(site: Site, parts: Parts) -> tuple[Parts, dict[str, str]]:
    hosts = (place.rpartition(":")[0] for place in site.servers)
    return parts, {"addresses": ", ".join(f"{{ ipAddress: '{host}' }}" for host in hosts)}


_TEMPLATE = """\
#: What your subscription brings: the subnet and the public address of the gateway, and where the app is.
param location string = resourceGroup().location
param subnetId string
param publicIpId string
?tls @secure()
?tls param certificate string
param appAddresses array = [<<addresses>>]

#: Names of the gateway's own parts.
var name = 'streamlit'
var id = resourceId('Microsoft.Network/applicationGateways', name)

#: Where requests come in.
resource gateway 'Microsoft.Network/applicationGateways@2024-05-01' = {
  name: name
  location: location
  properties: {
    sku: { name: 'WAF_v2', tier: 'WAF_v2', capacity: 1 }
    firewallPolicy: { id: firewall.id }
    gatewayIPConfigurations: [ { name: 'subnet', properties: { subnet: { id: subnetId } } } ]
    frontendIPConfigurations: [ { name: 'public', properties: { publicIPAddress: { id: publicIpId } } } ]
    frontendPorts: [ { name: 'port', properties: { port: <<port>> } } ]
    ?tls #: The certificate with its key, as base64 of a PFX without a password.
    ?tls sslCertificates: [ { name: 'certificate', properties: { data: certificate, password: '' } } ]
    backendAddressPools: [ { name: 'app', properties: { backendAddresses: appAddresses } } ]
    #: The app is healthy when it takes sessions.
    probes: [
      {
        name: 'ready'
        properties: {
          protocol: 'Http'
          host: '<<host>>'
          path: '<<base>>/_stlaunch/ready'
          interval: 10
          timeout: 5
          unhealthyThreshold: 3
        }
      }
    ]
    #: How the gateway speaks with the app.
    backendHttpSettingsCollection: [
      {
        name: 'app'
        properties: {
          port: <<upstream_port>>
          protocol: 'Http'
          probe: { id: '${id}/probes/ready' }
          ?strip #: The path is stripped.
          ?strip path: '/'
          #[ in the properties of your backendHttpSettingsCollection's entry
          @settings
          #]
        }
      }
    ]
    httpListeners: [
      {
        name: 'web'
        properties: {
          frontendIPConfiguration: { id: '${id}/frontendIPConfigurations/public' }
          frontendPort: { id: '${id}/frontendPorts/port' }
          ?tls protocol: 'Https'
          ?tls sslCertificate: { id: '${id}/sslCertificates/certificate' }
          ?!tls protocol: 'Http'
          ?named hostName: '<<host>>'
        }
      }
    ]
    #: What the app is told about a request.
    rewriteRuleSets: [
      {
        name: 'app'
        properties: {
          rewriteRules: [
            {
              name: 'forwarding'
              ruleSequence: 100
              actionSet: {
                #[ in your rewrite rule's actionSet
                requestHeaderConfigurations: [
                  @request
                ]
                @rewrite
                #]
              }
            }
          ]
        }
      }
    ]
    #: Everything below the path goes to the app.
    urlPathMaps: [
      {
        name: 'paths'
        properties: {
          defaultBackendAddressPool: { id: '${id}/backendAddressPools/app' }
          defaultBackendHttpSettings: { id: '${id}/backendHttpSettingsCollection/app' }
          defaultRewriteRuleSet: { id: '${id}/rewriteRuleSets/app' }
          pathRules: [
            {
              name: 'app'
              properties: {
                paths: [ '<<base>>/*' ]
                backendAddressPool: { id: '${id}/backendAddressPools/app' }
                backendHttpSettings: { id: '${id}/backendHttpSettingsCollection/app' }
                rewriteRuleSet: { id: '${id}/rewriteRuleSets/app' }
              }
            }
          ]
        }
      }
    ]
    requestRoutingRules: [
      {
        name: 'app'
        properties: {
          ruleType: 'PathBasedRouting'
          priority: 100
          httpListener: { id: '${id}/httpListeners/web' }
          urlPathMap: { id: '${id}/urlPathMaps/paths' }
        }
      }
    ]
  }
}

#: The firewall, which may not take uploads for attacks.
resource firewall 'Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies@2024-05-01' = {
  name: '${name}-firewall'
  location: location
  properties: {
    policySettings: {
      state: 'Enabled'
      mode: 'Prevention'
      #[ in your WAF policy's policySettings
      @policy
      #]
    }
    #[ in your WAF policy's properties
    @rules
    #]
    managedRules: { managedRuleSets: [ { ruleSetType: 'OWASP', ruleSetVersion: '3.2' } ] }
  }
}
"""  # noqa: E501 - lines of its language

_KINDS = (
    Kind(
        name="azure-gateway",
        title="Azure Application Gateway (Bicep)",
        product=Product.AZURE_GATEWAY,
        template=_TEMPLATE,
        shape=_with_addresses,
        put_into="a file for az deployment group create",
        comment="// {}",
        restricts=False,
        notes=(NOT_TRIED,),
    ),
)


RECIPE = Recipe(
    title="Azure Application Gateway",
    signs=_SIGNS,
    places={
        "settings": "in Bicep, in the `properties` of the backendHttpSettingsCollection's entry",
        "policy": "in Bicep, in the WAF policy's `policySettings`",
        "rules": "in Bicep, in the WAF policy's `properties`",
        "request": "in Bicep, in the rewrite rule's `actionSet`, in its "
        "`requestHeaderConfigurations`",
        "rewrite": "in Bicep, in the rewrite rule's `actionSet`",
    },
    validate=_VALIDATE,
    reload="az deployment group create --resource-group GROUP --template-file FILE",
    parts=_LINES,
    kinds=_KINDS,
)
