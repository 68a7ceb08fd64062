package authn_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
	"github.com/apikey-operator/apikey-operator/webhook/authn/internal/authntest"
)

// TestAnswersHoldNoDigest: whatever a gateway is answered, and hands on, it learns of no
// digest. That none holds a raw key is plain: a verdict has none.
func TestAnswersHoldNoDigest(t *testing.T) {
	digest := key.NewRaw("bk_live_1234567890abcdef1234567890abcdef").Digest()
	for _, reason := range append(authntest.Reasons(t), auth.Allowed) {
		v := authntest.Verdict(reason)
		v.Version.Digest = digest
		said := fmt.Sprint(identity(&v), authn.CredentialHeader(&v), rateLimitHeaders(v.Key.Limit, v.Rate))
		if !v.OK() {
			denial := authn.NewDenial(&v)
			response := denial.Response()
			said += fmt.Sprint(denial.Encode(), response.Headers, string(response.Body))
		}
		for _, form := range []string{hex.EncodeToString(digest[:8]), base64.StdEncoding.EncodeToString(digest[:])[:12], base64.RawURLEncoding.EncodeToString(digest[:])[:12]} {
			if strings.Contains(strings.ToLower(said), strings.ToLower(form)) {
				t.Errorf("%s: the answer holds the digest: %s", reason, said)
			}
		}
	}
}
