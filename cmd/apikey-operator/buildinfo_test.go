package main

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestBuildInfo(t *testing.T) {
	build, _ := debug.ReadBuildInfo()
	want := `# HELP apikey_operator_build_info 1, with the program's version, its commit and the Go that it was built with.
# TYPE apikey_operator_build_info gauge
apikey_operator_build_info{go_version="` + runtime.Version() + `",revision="` + revision(build) + `",version="dev"} 1
`
	if err := testutil.CollectAndCompare(buildInfo(), strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestRevision(t *testing.T) {
	for _, tt := range []struct {
		name  string
		build *debug.BuildInfo
		want  string
	}{
		{"a commit", &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abcdef0"}, {Key: "vcs.modified", Value: "false"}}}, "abcdef0"},
		{"a commit and changes", &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abcdef0"}, {Key: "vcs.modified", Value: "true"}}}, "abcdef0-dirty"},
		{"outside of a repository", &debug.BuildInfo{}, "unknown"},
		{"no build information", nil, "unknown"},
	} {
		if got := revision(tt.build); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
