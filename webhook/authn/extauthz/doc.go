// Package extauthz is the door for Envoy's external authorization over gRPC
// (envoy.service.auth.v3.Authorization), which Istio, Envoy Gateway and Contour
// speak too.
//
// Every verdict, unavailability included, is a CheckResponse and never a gRPC
// error, which a gateway may be configured to let pass.
package extauthz
