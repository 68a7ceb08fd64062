// Package gateways checks config/samples/gateways: manifests for gateways that run
// in clusters and that tests don't have. Each is held against what its gateway
// publishes: a real API server takes it with the gateway's own kinds installed, and
// the mesh configuration fits Istio's types.
package gateways
