// Command chart packages the Helm chart, with the version and the image that it is to
// run, as <dir>/apikey-operator-<version>.tgz:
//
//	chart -o dist -version v1.2.3 -image registry.example/apikey-operator:v1.2.3 config/chart
//
// A version that isn't a semantic one, such as a commit's, becomes 0.0.0-g<version>.
package main
