// Package e2e tests the operator as users run it: as Pods, from the image, the
// manifests and the chart that `make image dist` makes, with workloads that mount a
// key's Secret and call through Envoy: while the operator is upgraded from the version
// before, keys are rotated, admission is away, auth servers are replaced under load,
// and the operator is uninstalled and installed again by Helm.
//
// `make test-e2e` runs it (build tag e2e). run.sh finds or starts the cluster; the
// tests know a kubeconfig only:
//
//	KUBECONFIG    the cluster; unset, run.sh starts a node
//	IMAGE         the operator's image, default localhost/apikey-operator:dev
//	E2E_OVERLAP   spec.rotation.overlap, default 3m: longer than a kubelet with its
//	              default settings takes to update a volume. run.sh's node takes 3 s
//	              at most, and gets 20s.
//	E2E_NODE      the folder of the node's scripts, where run.sh started one: the tests
//	              then look into containers from outside, and at the audit log in
//	E2E_LOGS      where all Pods' logs are left as well.
//
// The version before is the commit in the file previous; run.sh makes its image and
// manifest in dist/previous (PREVIOUS_IMAGE is its name there).
//
// On a cluster of your own the images must be there: `make image e2e-image`, then load
// dist/apikey-operator-image.tar, dist/previous/apikey-operator-image.tar and
// dist/e2e-image.tar (kind load image-archive, k3s ctr images import), or push the
// first and name it by IMAGE. What is applied is deleted in the end, the kinds and with
// them every APIKey included: so the tests refuse a cluster that has the kinds already.
package e2e
