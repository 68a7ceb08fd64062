package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// version is a key version whose digest ends with a number.
func version(n int, phase string) string {
	return fmt.Sprintf(`{digest: "sha256:%064x", phase: %s, issuedAt: "2026-01-15T10:30:00Z"}`, n, phase)
}

func versions(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = version(i, "Retiring")
	}
	return "keys: [" + strings.Join(all, ", ") + "]"
}

const condition = `{type: %s, status: "True", reason: Issued, message: "", lastTransitionTime: "2026-01-15T10:30:00Z"}`

var statuses = []struct{ name, kind, status, at, says string }{
	{"nothing", apiKey, "{}", "", ""},
	{"one version", apiKey, "keys: [" + version(1, "Current") + "]", "", ""},
	{"every phase", apiKey, "keys: [" + version(1, "Pending") + ", " + version(2, "Current") + ", " + version(3, "Superseded") + ", " + version(4, "Retiring") + "]", "", ""},
	{"8 versions", apiKey, versions(8), "", ""},
	{"9 versions", apiKey, versions(9), "status.keys", "must have at most 8 items"},
	{"a digest twice", apiKey, "keys: [" + version(1, "Current") + ", " + version(2, "Retiring") + ", " + version(1, "Retiring") + "]", "status.keys[2]", "Duplicate value"},
	{"a raw key for a digest", apiKey, `keys: [{digest: bs_a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6, phase: Current, issuedAt: "2026-01-15T10:30:00Z"}]`, "status.keys[0].digest", "should be at least 71 chars long"},
	{"a digest in upper case", apiKey, `keys: [{digest: "sha256:` + strings.Repeat("A", 64) + `", phase: Current, issuedAt: "2026-01-15T10:30:00Z"}]`, "status.keys[0].digest", "should match"},
	{"a digest of another algorithm", apiKey, `keys: [{digest: "sha512:` + strings.Repeat("a", 64) + `", phase: Current, issuedAt: "2026-01-15T10:30:00Z"}]`, "status.keys[0].digest", "should match"},
	{"no issuedAt", apiKey, `keys: [{digest: "sha256:` + strings.Repeat("a", 64) + `", phase: Current}]`, "status.keys[0].issuedAt", "Required value"},
	{"no phase", apiKey, `keys: [{digest: "sha256:` + strings.Repeat("a", 64) + `", issuedAt: "2026-01-15T10:30:00Z"}]`, "status.keys[0].phase", "Required value"},
	{"unknown phase", apiKey, "keys: [" + version(1, "Active") + "]", "status.keys[0].phase", `supported values: "Pending", "Current", "Superseded", "Retiring"`},
	{"the longest hint there can be", apiKey, "hint: " + letters(32+1+32+1+4), "", ""},
	{"a hint like a raw key", apiKey, "hint: " + letters(81), "status.hint", "may not be more than 80"},
	{"Pending", apiKey, "{state: Pending, secretPhase: None}", "", ""},
	{"Expired", apiKey, "{state: Expired, secretPhase: Present}", "", ""},
	{"unknown state", apiKey, "state: Paused", "status.state", `supported values: "Pending", "Active", "Suspended", "Revoked", "Expired"`},
	{"unknown secretPhase", apiKey, "secretPhase: Lost", "status.secretPhase", `supported values: "None", "Present", "Deleting", "Delivered"`},
	{"delivered", apiKey, "{secretPhase: Delivered, deliveredSecret: sha256:" + aHash + "}", "", ""},
	{"effective of both", apiKey, `effective: {expiresAt: "2026-12-31T23:59:59Z", rateLimit: {requests: 1000, period: 1h, algorithm: FixedWindow}}`, "", ""},
	{"effective of nothing", apiKey, "effective: {}", "status.effective", "should have at least 1 properties"},
	{"an effective limit without period", apiKey, "effective: {rateLimit: {requests: 1000}}", "status.effective.rateLimit.period", "Required value"},
	{"an effective end of a day", apiKey, `effective: {expiresAt: "2026-12-31"}`, "status.effective.expiresAt", "must be of type date-time"},
	{"generation 0", apiKey, "observedGeneration: 0", "status.observedGeneration", "should be greater than or equal to 1"},
	{"16 conditions", apiKey, "conditions: [" + repeat(16, fmt.Sprintf(condition, "C%d")) + "]", "", ""},
	{"17 conditions", apiKey, "conditions: [" + repeat(17, fmt.Sprintf(condition, "C%d")) + "]", "status.conditions", "must have at most 16 items"},
	{"a condition twice", apiKey, "conditions: [" + fmt.Sprintf(condition+", "+condition, "Ready", "Ready") + "]", "status.conditions[1]", "Duplicate value"},
	{"a condition of unknown status", apiKey, "conditions: [" + strings.Replace(fmt.Sprintf(condition, "Ready"), `"True"`, "Maybe", 1) + "]", "status.conditions[0].status", "supported values"},

	{"nothing", protectedAPI, "{}", "", ""},
	{"no keys", protectedAPI, "attachedKeys: 0", "", ""},
	{"two thousand million keys", protectedAPI, "attachedKeys: 2147483647", "", ""},
	{"more than Go can read", protectedAPI, "attachedKeys: 2147483648", "status", "must be of type integer with format int32 in attachedKeys"},
	{"fewer than no keys", protectedAPI, "attachedKeys: -1", "status.attachedKeys", "should be greater than or equal to 0"},
}

func TestStatus(t *testing.T) {
	stored := map[string]*unstructured.Unstructured{}
	for _, kind := range kinds {
		stored[kind] = mustCreate(t, object(t, kind, "{}"))
	}
	for _, s := range statuses {
		t.Run(s.kind+"/"+s.name, func(t *testing.T) {
			t.Parallel()
			u := stored[s.kind].DeepCopy()
			u.Object["status"] = fields(t, s.status)
			u, err := update(t, u, dryRun, "status")
			if s.at == "" {
				wantAccepted(t, u, err)
				return
			}
			wantInvalid(t, err, s.at, s.says)
		})
	}
}

// notLookedAtYet is the status of what was just created: without it kstatus would
// take the object for Current.
const notLookedAtYet = `
conditions:
- {type: Ready, status: Unknown, reason: Pending, message: waiting for the controller, lastTransitionTime: "1970-01-01T00:00:00Z"}
`

// Who may write spec can't write status, and the other way round.
func TestStatusIsSeparate(t *testing.T) {
	specs := map[string][2]string{
		apiKey:       {"{state: Active, scopes: [a]}", "{state: Active, scopes: [b]}"},
		protectedAPI: {"hosts: [a.example]", "hosts: [b.example]"},
	}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			before, after := fields(t, specs[kind][0]), fields(t, specs[kind][1])
			status := fields(t, "observedGeneration: 1")
			forged := fields(t, "observedGeneration: 7")

			u := objectOf(kind, before)
			u.Object["status"] = forged
			u = mustCreate(t, u)
			wantEqual(t, u.Object["status"], any(fields(t, notLookedAtYet))) // not with the one that it came with

			u.Object["spec"], u.Object["status"] = after, status
			u, err := update(t, u, persist, "status")
			wantAccepted(t, u, err)
			wantEqual(t, u.Object["spec"], any(before))
			wantEqual(t, u.Object["status"], any(status))
			if g := u.GetGeneration(); g != 1 {
				t.Errorf("a status made generation %d", g)
			}

			u.Object["spec"], u.Object["status"] = after, forged
			u, err = update(t, u, persist)
			wantAccepted(t, u, err)
			wantEqual(t, u.Object["spec"], any(after))
			wantEqual(t, u.Object["status"], any(status))
			if g := u.GetGeneration(); g != 2 {
				t.Errorf("a spec made generation %d, not 2", g)
			}
		})
	}
}
