//go:build tools

// Package gateways pins the gateways whose schemas are read from their modules.
// Each import is a package of theirs that needs no others: it only keeps the line
// in go.mod.
package gateways

import (
	_ "github.com/envoyproxy/gateway"
	_ "github.com/traefik/traefik/v3/pkg/server/recursion"
)
