// Command manifests writes a kustomization as one file, with the image that the
// operator is to run from:
//
//	manifests -o dist/install.yaml -image registry.example/apikey-operator:v1 config/default
package main
