package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/package-url/packageurl-go"
	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

const (
	spdxType = "application/spdx+json"
	// unknown is SPDX's word for what nobody looked at.
	unknown = "NOASSERTION"
)

// sbom lists what the linker put into a program, as SPDX 2.3 in JSON: its modules and
// Go's standard library. version is the one that is stamped into the program.
func sbom(p *program, version string) ([]byte, error) {
	root, err := mainPackage(p, version)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s-%s-%s-%s", p.name(), version, p.setting("GOOS"), p.setting("GOARCH"))
	doc := &v2_3.Document{
		SPDXVersion:    v2_3.Version,
		DataLicense:    v2_3.DataLicense,
		SPDXIdentifier: "DOCUMENT",
		DocumentName:   name,
		// It must differ from every other document's, and here by content only.
		DocumentNamespace: fmt.Sprintf("%s/spdx/%s-%x", p.source(), name, p.sha256),
		CreationInfo: &v2_3.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "apikey-operator/hack/dist/image"}},
			Created:  p.time(),
		},
		Packages:      []*v2_3.Package{root},
		Relationships: []*v2_3.Relationship{related("DOCUMENT", common.TypeRelationshipDescribe, root.PackageSPDXIdentifier)},
	}
	libraries := []*debug.Module{{Path: "stdlib", Version: strings.TrimPrefix(p.build.GoVersion, "go")}}
	for _, m := range append(libraries, p.build.Deps...) {
		library, err := modulePackage(m)
		if err != nil {
			return nil, err
		}
		doc.Packages = append(doc.Packages, library)
		doc.Relationships = append(doc.Relationships,
			related(root.PackageSPDXIdentifier, common.TypeRelationshipDependsOn, library.PackageSPDXIdentifier))
	}
	var out bytes.Buffer
	err = json.Write(doc, &out, json.Indent("  "), json.EscapeHTML(false))
	return out.Bytes(), err
}

func related(a common.ElementID, how string, b common.ElementID) *v2_3.Relationship {
	return &v2_3.Relationship{RefA: common.MakeDocElementID("", string(a)), Relationship: how, RefB: common.MakeDocElementID("", string(b))}
}

// mainPackage is the program itself. Its own build information has a version of its
// module that Go made of the commit; ours is the one that it prints.
func mainPackage(p *program, version string) (*v2_3.Package, error) {
	m, err := modulePackage(&debug.Module{Path: p.build.Main.Path, Version: version})
	if err != nil {
		return nil, err
	}
	m.PrimaryPackagePurpose = "APPLICATION"
	m.PackageFileName = p.name()
	m.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: hex.EncodeToString(p.sha256[:])}}
	m.PackageSourceInfo = ""
	if revision := p.revision(); revision != "" {
		m.PackageSourceInfo = "commit " + revision
		if p.dirty() {
			m.PackageSourceInfo += ", with changes"
		}
	}
	return m, nil
}

var notInID = regexp.MustCompile(`[^0-9A-Za-z.-]`)

// modulePackage is a module. Its sum is the one of go.sum, in SPDX's spelling too: that
// is a SHA-256 of the module's list of files, not of its archive.
func modulePackage(m *debug.Module) (*v2_3.Package, error) {
	info := ""
	if m.Replace != nil {
		info = fmt.Sprintf("replaces %s %s", m.Path, m.Version)
		m = m.Replace
	}
	namespace, name := path.Split(m.Path)
	purl := packageurl.NewPackageURL(packageurl.TypeGolang, strings.TrimSuffix(namespace, "/"), name, m.Version, nil, "").ToString()
	// Characters of a path that an identifier can't have may not make two of them one.
	id := fmt.Sprintf("Package-%s-%x", notInID.ReplaceAllString(m.Path, "-"), sha256.Sum256([]byte(m.Path)))
	p := &v2_3.Package{
		PackageName:             m.Path,
		PackageSPDXIdentifier:   common.ElementID(id[:len(id)-56]),
		PackageVersion:          m.Version,
		PackageDownloadLocation: unknown,
		PackageLicenseConcluded: unknown,
		PackageLicenseDeclared:  unknown,
		PackageCopyrightText:    unknown,
		PrimaryPackagePurpose:   "LIBRARY",
		PackageExternalReferences: []*v2_3.PackageExternalReference{
			{Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: purl},
		},
	}
	if m.Sum != "" {
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:"))
		if err != nil {
			return nil, fmt.Errorf("the sum of %s, %q: %w", m.Path, m.Sum, err)
		}
		p.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: hex.EncodeToString(sum)}}
		info = strings.TrimPrefix(info+", go.sum "+m.Sum, ", ")
	}
	p.PackageSourceInfo = info
	return p, nil
}
