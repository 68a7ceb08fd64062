// Package manifests checks what deploys: config as kustomize makes one file of it, with
// each component, and as the chart does with each of its values. A real API server takes
// every object, admits our Pods where Pod Security enforces `restricted`, asks admission
// for what it should, and keeps through upgrades what the operator has written.
package manifests
