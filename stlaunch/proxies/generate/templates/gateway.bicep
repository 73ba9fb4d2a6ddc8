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
