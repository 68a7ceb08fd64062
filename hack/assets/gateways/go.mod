// Pins the gateways whose schemas config/samples/gateways is checked against. See
// hack/assets/README.md.
module github.com/apikey-operator/apikey-operator/hack/assets/gateways

go 1.26.7

require (
	github.com/envoyproxy/gateway v1.9.1
	github.com/traefik/traefik/v3 v3.7.13
	google.golang.org/protobuf v1.36.12
	istio.io/api v1.31.1
	sigs.k8s.io/yaml v1.6.0
)

require (
	github.com/golang/protobuf v1.5.4 // indirect
	go.yaml.in/yaml/v2 v2.4.4 // indirect
	google.golang.org/genproto/googleapis/api v0.0.0-20260803160001-6ac0973c030d // indirect
)
