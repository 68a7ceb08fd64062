#!/bin/sh
# `make test-e2e`: runs the tests of this package on the cluster of KUBECONFIG, or on
# a node that lives as long as they do. IMAGE and MAKE come from the Makefile.
#
#   run.sh           all of it
#   run.sh why-not   says why no node can be started here; nothing, if one can
#   run.sh down      takes down the node in E2E_RUN, if this script couldn't any more
#   run.sh previous  builds what is upgraded from, dist/previous; PREVIOUS_IMAGE
#
# NODE_KIT is the folder of the node's scripts, NODE_DIR what they build into, once a
# machine, E2E_RUN the folder of the running node.
set -eu
cd "$(dirname "$0")/../.."
: "${MAKE:=make}" "${IMAGE:=localhost/apikey-operator:dev}" "${NODE_KIT:=../shared/node}"
: "${PREVIOUS_IMAGE:=localhost/apikey-operator:previous}"
NODE_DIR=${NODE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/apikey-operator/node}
RUN=${E2E_RUN:-$NODE_DIR/e2e-$$}
export IMAGE PREVIOUS_IMAGE NODE_DIR RUN
kit() { script=$1; shift; bash "$NODE_KIT/$script.sh" "$@"; }

why_not() {
	[ "$(uname -s)" = Linux ] || { echo "a node needs Linux"; return; }
	[ "$(id -u)" = 0 ] || echo "a node needs root"
	[ -x "$NODE_KIT/up.sh" ] || echo "$NODE_KIT/up.sh is missing (NODE_KIT names the folder)"
	grep -q ':memory:' /proc/self/cgroup || echo "a node needs cgroup v1 with its memory controller"
	grep -qw overlay /proc/filesystems || echo "a node needs overlayfs"
	for tool in bash openssl curl ip sysctl nsenter unshare setsid awk apt-get dpkg-deb ldd; do
		command -v $tool >/dev/null || echo "$tool is missing"
	done
	unshare --mount --uts --ipc --net --cgroup --pid --fork true 2>/dev/null || echo "namespaces can't be made here"
}

# previous makes image and manifests of the commit in hack/e2e/previous, with the
# Makefile of that commit, in dist/previous.
previous() {
	commit=$(grep -v '^#' hack/e2e/previous)
	tree=$(mktemp -d)
	trap 'rm -rf "$tree"' EXIT
	rm -rf dist/previous && mkdir -p dist/previous
	if git cat-file -e "$commit^{commit}" 2>/dev/null; then
		git archive "$commit" | tar -x -C "$tree"
	else
		commit=the-same-tree
		{
			echo "!!! UPGRADE FROM THE SAME VERSION ONLY: this clone has no commit $(grep -v '^#' hack/e2e/previous),"
			echo "!!! the one in hack/e2e/previous (a shallow clone? git fetch --unshallow)."
		} >&2
		git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null | tar -c -T - | tar -x -C "$tree"
	fi
	"$MAKE" --no-print-directory -C "$tree" image dist IMAGE="$PREVIOUS_IMAGE" VERSION="$commit"
	mv "$tree/dist/apikey-operator-image.tar" "$tree/dist/install.yaml" dist/previous/
	echo "$commit" >dist/previous/commit
}
case ${1:-} in
why-not) why_not; exit ;;
down) [ ! -d "$RUN" ] || kit down; exit ;;
previous) previous; exit ;;
esac

# As `make image` builds: what is compiled once serves both.
tests() { CGO_ENABLED=0 go test -trimpath -tags e2e -count=1 -timeout "$1" -v ./hack/e2e/; }

if [ -n "${KUBECONFIG:-}" ]; then
	"$MAKE" --no-print-directory dist
	tests 30m
	exit
fi

reasons=$(why_not)
if [ -n "$reasons" ]; then
	echo "no KUBECONFIG, and no node can be started here:" >&2
	echo "$reasons" | sed 's/^/  /' >&2
	exit 1
fi
started=$(date +%s)
say() { echo "[$(($(date +%s) - started)) s] $*"; }

# Debian's containerd and no DNS: two builds less, and the tests need neither.
HOST_PORT=$((17000 + $$ % 1000))
until curl -s -o /dev/null --max-time 1 "http://127.0.0.1:$HOST_PORT" || [ $? = 7 ]; do HOST_PORT=$((HOST_PORT + 1)); done
export HOST_PORT CONTAINERD=1 NO_DNS=1
# What the operator asks the API server for, for hack/rights.
APISERVER_ARGS="--audit-policy-file=$PWD/hack/e2e/testdata/audit.yaml --audit-log-path=$RUN/log/audit.log --audit-log-mode=blocking"
export APISERVER_ARGS

end() {
	status=$?
	trap - EXIT
	if [ $status != 0 ] && [ -d "$RUN/log" ]; then
		rm -rf .dev/e2e && mkdir -p .dev && cp -r "$RUN/log" .dev/e2e && say "the node's logs are in .dev/e2e"
	fi
	kit down
	exit $status
}
trap end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

kit build
say "the node is built"
# For this machine only.
"$MAKE" --no-print-directory image dist e2e-image ARCH="$(go env GOARCH)"
say "the images are built"
kit up
for archive in dist/apikey-operator-image.tar dist/previous/apikey-operator-image.tar dist/e2e-image.tar; do
	kit in-node "$NODE_DIR/deb/usr/bin/ctr" -a /run/containerd/containerd.sock -n k8s.io images import "$PWD/$archive"
done
say "the node is up and has the images"
# The node's kubectl, where there is no other; kubelet updates a volume within 3 s.
E2E_NODE=$(cd "$NODE_KIT" && pwd) E2E_LOGS=$RUN/log E2E_OVERLAP=${E2E_OVERLAP:-20s}
export E2E_NODE E2E_LOGS E2E_OVERLAP
PATH=$PATH:$NODE_DIR/bin KUBECONFIG=$RUN/kubeconfig tests 15m
say "done"
