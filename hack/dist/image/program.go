package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"
)

// program is what a Go program says of itself.
type program struct {
	file   string
	sha256 [sha256.Size]byte
	build  *debug.BuildInfo
}

// readProgram fails for what isn't a Go program of the platform, or has no build
// information.
func readProgram(file string, p platform) (*program, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	build, err := buildinfo.Read(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%s: a release is made of Go programs with their build information: %w", file, err)
	}
	g := &program{file: file, sha256: sha256.Sum256(content), build: build}
	if is := (platform{g.setting("GOOS"), g.setting("GOARCH")}); is != p {
		return nil, fmt.Errorf("%s is built for %s and not for %s: build it with GOOS=%s GOARCH=%s", file, is, p, p.os, p.arch)
	}
	return g, nil
}

func (p *program) setting(key string) string {
	for _, s := range p.build.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// source is where a module of that path lives.
func (p *program) source() string { return "https://" + p.build.Main.Path }

// revision is the commit, "" if the program was built outside of a repository.
func (p *program) revision() string { return p.setting("vcs.revision") }

// dirty says whether files differed from the commit.
func (p *program) dirty() bool { return p.setting("vcs.modified") == "true" }

// time is the commit's: the time of the build would make each differ.
func (p *program) time() string { return cmp.Or(p.setting("vcs.time"), epoch().Format(time.RFC3339)) }

func (p *program) name() string { return filepath.Base(p.file) }
