#!/bin/sh
# `make verify`: everything that can be regenerated is up to date, and all checks
# pass. It goes on after a failure, so that one run shows them all.
set -u
cd "$(dirname "$0")/.." || exit 1
failed=0

# tree names the content of the work tree, new files included, by the git tree
# that committing all of it would make. Nothing is added to the repository.
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/objects"
GIT_ALTERNATE_OBJECT_DIRECTORIES=$(git rev-parse --path-format=absolute --git-path objects)
export GIT_ALTERNATE_OBJECT_DIRECTORIES
scratch_git() {
	GIT_INDEX_FILE="$scratch/index" GIT_OBJECT_DIRECTORY="$scratch/objects" git "$@"
}
tree() {
	cp "$(git rev-parse --git-path index)" "$scratch/index" 2>/dev/null || rm -f "$scratch/index"
	scratch_git add --all && scratch_git write-tree
}

check() {
	what=$1
	shift
	started=$(date +%s)
	if "$@"; then
		echo "verify: $what ok ($(($(date +%s) - started)) s)"
	else
		echo "verify: $what FAILED"
		failed=1
	fi
}

formatted() {
	files=$(gofmt -l .) && [ -z "$files" ] || { echo "gofmt -w $files"; return 1; }
}

# go mod tidy -diff shows what it would change, and changes nothing.
tidy() { go -C "$1" mod tidy -diff; }

unchanged() {
	after=$(tree) || return 1
	[ "$before" = "$after" ] || { scratch_git diff --stat "$before" "$after"; return 1; }
}

before=$(tree) || exit 1
check gofmt formatted
check generate "${MAKE:-make}" --no-print-directory -s generate
for module in $MODULES; do
	check "go mod tidy in $module" tidy "$module"
done
check "go vet" go vet -tags e2e ./...
check lint "${MAKE:-make}" --no-print-directory -s lint
check "generated files" unchanged
exit $failed
