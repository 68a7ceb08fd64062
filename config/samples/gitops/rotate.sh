#!/bin/sh
# Rotates the keys of this directory from a pipeline, and waits until it is done:
#
#     sh rotate.sh 2026-12
#
# The commit is all that rotates. Run in a checkout of the repository, with a
# kubeconfig that may get and watch APIKeys.
set -eu

trigger=${1:?say what the trigger becomes}
key=storefront
namespace=shop
# The overlap, and what Argo CD or Flux takes: the next rotation waits for the end of one.
patience=${PATIENCE:-25h}

case $trigger in
*[!A-Za-z0-9._-]*) echo "rotate.sh: letters, digits, '.', '_' and '-' only" >&2; exit 2 ;;
esac
observed=$(kubectl get apikey "$key" --namespace "$namespace" --output "jsonpath={.status.observedTriggers[?(@=='$trigger')]}")
if [ -n "$observed" ]; then
	echo "rotate.sh: $trigger has rotated before, and rotates nothing: take another value" >&2
	exit 2
fi
sed -i.old "s/^  value: .*/  value: \"$trigger\"/" keys/rotation.yaml
rm keys/rotation.yaml.old
# Run again with a value that is committed already, it only waits.
git diff --quiet keys/rotation.yaml || git commit --quiet --message "Rotate $key: $trigger" keys/rotation.yaml
git push --quiet

until_is() { # jsonpath value
	kubectl wait "apikey/$key" --namespace "$namespace" --timeout "$patience" --for "jsonpath=$1=$2"
}
# Argo CD or Flux has applied the commit, and the rotation has begun.
until_is "{.status.observedTriggers[?(@=='$trigger')]}" "$trigger"
# The new key is in the Secret; the one before is accepted for the overlap.
until_is "{.status.keys[0].phase}" Current
# Every auth server knows until when.
kubectl wait "apikey/$key" --namespace "$namespace" --timeout 1m --for condition=Propagated
