package auth

import (
	"encoding/base64"
	"net/url"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// staxBill is the key that the Stax Bill seed shows (seeds/000): 88 characters,
// itself Base64 of a user name and a password.
const staxBill = "MDpFSDl2RTBRNTZVYVJYdnZROE8wb2JpMzJsSDJPNXh0YlZneVRDN2o1d0NCbEEwamV6ZmhDMVNwd2t4U0paSW9q"

func encoded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func authorization(values ...string) fields { return fields{"authorization": values} }

// credentialRow is a request to an API that knows one key.
type credentialRow struct {
	key     string // "" is good
	places  []keyring.Credential
	headers fields
	query   string
	want    Reason
	at      keyring.Credential // where it was found
}

func checkCredentials(t *testing.T, rows map[string]credentialRow) {
	t.Helper()
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			raw := row.key
			if raw == "" {
				raw = good
			}
			w := simpleWorld(raw, row.places...)
			w.send(row.headers)
			w.request.Path = "/?" + row.query
			want := outcome{Reason: row.want, API: "apis/shop", Credential: row.at, Path: "/"}
			if row.want == Allowed {
				want.Key, want.Hint = "team/integration", w.key.Versions[0].Hint
			}
			expect(t, w.outcome(), want)
		})
	}
}

func only(places ...keyring.Credential) []keyring.Credential { return places }

var none keyring.Credential

func TestBearer(t *testing.T) {
	checkCredentials(t, map[string]credentialRow{
		"as in RFC 6750":          {places: only(bearer), headers: authorization("Bearer " + good), want: Allowed, at: bearer},
		"scheme in lower case":    {places: only(bearer), headers: authorization("bearer " + good), want: Allowed, at: bearer},
		"scheme in upper case":    {places: only(bearer), headers: authorization("BEARER " + good), want: Allowed, at: bearer},
		"extra spaces":            {places: only(bearer), headers: authorization("  Bearer    " + good + "  "), want: Allowed, at: bearer},
		"tabs around":             {places: only(bearer), headers: authorization("\tBearer " + good + "\t"), want: Allowed, at: bearer},
		"of the same shape":       {places: only(bearer), headers: authorization("Bearer " + other), want: UnknownKey, at: bearer},
		"another shape":           {places: only(bearer), headers: authorization("Bearer " + good + "0"), want: MalformedCredential, at: bearer},
		"key in upper case":       {places: only(bearer), headers: authorization("Bearer BK_LIVE_1234567890ABCDEF1234567890ABCDEF"), want: MalformedCredential, at: bearer},
		"no token":                {places: only(bearer), headers: authorization("Bearer"), want: MalformedCredential, at: bearer},
		"an empty token":          {places: only(bearer), headers: authorization("Bearer   "), want: MalformedCredential, at: bearer},
		"two tokens":              {places: only(bearer), headers: authorization("Bearer " + good + " " + good), want: MalformedCredential, at: bearer},
		"the scheme twice":        {places: only(bearer), headers: authorization("Bearer Bearer " + good), want: MalformedCredential, at: bearer},
		"a parameter":             {places: only(bearer), headers: authorization("Bearer token=" + good), want: MalformedCredential, at: bearer},
		"quoted":                  {places: only(bearer), headers: authorization(`Bearer "` + good + `"`), want: MalformedCredential, at: bearer},
		"no scheme":               {places: only(bearer), headers: authorization(good), want: MissingCredential},
		"no space":                {places: only(bearer), headers: authorization("Bearer" + good), want: MissingCredential},
		"another scheme":          {places: only(bearer), headers: authorization("Token " + good), want: MissingCredential},
		"Basic":                   {places: only(bearer), headers: authorization("Basic " + good), want: MissingCredential},
		"an empty header":         {places: only(bearer), headers: authorization(""), want: MissingCredential},
		"no header":               {places: only(bearer), want: MissingCredential},
		"Proxy-Authorization":     {places: only(bearer), headers: fields{"proxy-authorization": {"Bearer " + good}}, want: MissingCredential},
		"repeated":                {places: only(bearer), headers: authorization("Bearer "+other, "Bearer "+good), want: AmbiguousCredential},
		"repeated, equal":         {places: only(bearer), headers: authorization("Bearer "+good, "Bearer "+good), want: AmbiguousCredential},
		"beside another scheme":   {places: only(bearer), headers: authorization("Bearer "+good, "Digest x"), want: AmbiguousCredential},
		"beside an empty one":     {places: only(bearer), headers: authorization("", "Bearer "+good), want: AmbiguousCredential},
		"joined":                  {places: only(bearer), headers: authorization("Bearer " + good + ",Bearer " + good), want: AmbiguousCredential, at: bearer},
		"joined with a space":     {places: only(bearer), headers: authorization("Bearer " + good + ", Bearer " + good), want: AmbiguousCredential, at: bearer},
		"joined, another scheme":  {places: only(bearer), headers: authorization("Bearer " + good + ", Digest x=y"), want: AmbiguousCredential, at: bearer},
		"joined beyond the bound": {places: only(bearer), headers: authorization("Bearer " + repeat("x", 300) + ",Bearer " + repeat("x", 300)), want: AmbiguousCredential, at: bearer},
	})
}

// Basic has exactly two readings, in order: the token as sent; the decoded user
// name if the password is empty.
func TestBasic(t *testing.T) {
	long := repeat("u", 512)
	rows := map[string]credentialRow{
		"the token as sent":             {headers: authorization("Basic " + good), want: Allowed, at: basic},
		"the user name, no password":    {headers: authorization("Basic " + encoded(good+":")), want: Allowed, at: basic},
		"scheme in lower case":          {headers: authorization("basic  " + encoded(good+":")), want: Allowed, at: basic},
		"the seed's key as the token":   {key: staxBill, headers: authorization("Basic " + staxBill), want: Allowed, at: basic},
		"the seed's key as user name":   {key: staxBill, headers: authorization("Basic " + encoded(staxBill+":")), want: Allowed, at: basic},
		"what is in the seed's key":     {key: "0", headers: authorization("Basic " + staxBill), want: MalformedCredential, at: basic},
		"512 characters":                {key: long, headers: authorization("Basic " + encoded(long+":")), want: Allowed, at: basic},
		"with a password":               {headers: authorization("Basic " + encoded(good+":x")), want: MalformedCredential, at: basic},
		"with a space as password":      {headers: authorization("Basic " + encoded(good+": ")), want: MalformedCredential, at: basic},
		"as the password":               {headers: authorization("Basic " + encoded(":"+good)), want: MalformedCredential, at: basic},
		"as both":                       {headers: authorization("Basic " + encoded(good+":"+good)), want: MalformedCredential, at: basic},
		"no colon":                      {headers: authorization("Basic " + encoded(good)), want: MalformedCredential, at: basic},
		"two colons":                    {headers: authorization("Basic " + encoded(good+"::")), want: MalformedCredential, at: basic},
		"no user name":                  {headers: authorization("Basic " + encoded(":")), want: MalformedCredential, at: basic},
		"spaces around the user name":   {headers: authorization("Basic " + encoded(" "+good+":")), want: MalformedCredential, at: basic},
		"encoded twice":                 {headers: authorization("Basic " + encoded(encoded(good+":")+":")), want: MalformedCredential, at: basic},
		"without padding":               {headers: authorization("Basic " + base64.RawStdEncoding.EncodeToString([]byte(good+":"))), want: MalformedCredential, at: basic},
		"too much padding":              {headers: authorization("Basic " + encoded(good+":") + "="), want: MalformedCredential, at: basic},
		"for URLs":                      {key: "~~~", headers: authorization("Basic " + base64.URLEncoding.EncodeToString([]byte("~~~:"))), want: MalformedCredential, at: basic},
		"the same, not for URLs":        {key: "~~~", headers: authorization("Basic " + encoded("~~~:")), want: Allowed, at: basic},
		"bits that Base64 doesn't have": {key: "x", headers: authorization("Basic eDp="), want: MalformedCredential, at: basic},
		"percent-encoded":               {headers: authorization("Basic " + url.QueryEscape(encoded(good+":"))), want: MalformedCredential, at: basic},
		"nobody's":                      {headers: authorization("Basic " + other), want: UnknownKey, at: basic},
		"nobody's, as user name":        {headers: authorization("Basic " + encoded(other+":")), want: UnknownKey, at: basic},
		"513 characters":                {headers: authorization("Basic " + encoded(long+"u:")), want: MalformedCredential, at: basic},
		"huge":                          {headers: authorization("Basic " + encoded(repeat("u", 1<<20)+":")), want: MalformedCredential, at: basic},
		"a comma in the user name":      {headers: authorization("Basic " + encoded("a,b:")), want: MalformedCredential, at: basic},
		"not UTF-8":                     {headers: authorization("Basic " + encoded("\xff\xfe:")), want: MalformedCredential, at: basic},
		"NUL in the user name":          {headers: authorization("Basic " + encoded(good+"\x00:")), want: MalformedCredential, at: basic},
		"empty":                         {headers: authorization("Basic "), want: MalformedCredential, at: basic},
		"Bearer":                        {headers: authorization("Bearer " + good), want: MissingCredential},
		"repeated":                      {headers: authorization("Basic "+good, "Basic "+encoded(good+":")), want: AmbiguousCredential},
		"joined":                        {headers: authorization("Basic " + good + ",Basic " + good), want: AmbiguousCredential, at: basic},
	}
	for name, row := range rows {
		row.places = only(basic)
		rows[name] = row
	}
	checkCredentials(t, rows)
}

// A key's own digest decides, so the token as sent wins where both readings are
// keys.
func TestBasicReadingsInOrder(t *testing.T) {
	w := simpleWorld(good, basic)
	token := encoded(good + ":")
	second := w.key.Clone()
	second.Name.Name, second.Versions = "token", []keyring.Version{version(token)}
	w.send(authorization("Basic " + token))
	a := w.authenticator()
	w.ring.SetKey(second)
	if got := outcomeOf(a.Authenticate(&w.request)); got.Reason != Allowed || got.Key != "team/token" {
		t.Errorf("got %+v, want the key that is the token as sent", got)
	}
}

func TestHeader(t *testing.T) {
	named := func(values ...string) fields { return fields{"x-api-key": values} }
	checkCredentials(t, map[string]credentialRow{
		"once":                   {places: only(header), headers: named(good), want: Allowed, at: header},
		"spaces around":          {places: only(header), headers: named(" \t" + good + "\t "), want: Allowed, at: header},
		"nobody's":               {places: only(header), headers: named(other), want: UnknownKey, at: header},
		"empty":                  {places: only(header), headers: named(""), want: MalformedCredential, at: header},
		"with a scheme":          {places: only(header), headers: named("Bearer " + good), want: MalformedCredential, at: header},
		"another header":         {places: only(header), headers: fields{"api-key": {good}}, want: MissingCredential},
		"in Authorization":       {places: only(header), headers: authorization("Bearer " + good), want: MissingCredential},
		"repeated":               {places: only(header), headers: named(other, good), want: AmbiguousCredential},
		"repeated, equal":        {places: only(header), headers: named(good, good), want: AmbiguousCredential},
		"repeated, one empty":    {places: only(header), headers: named("", good), want: AmbiguousCredential},
		"joined":                 {places: only(header), headers: named(good + "," + good), want: AmbiguousCredential, at: header},
		"joined with a space":    {places: only(header), headers: named(good + ", " + good), want: AmbiguousCredential, at: header},
		"joined with an empty":   {places: only(header), headers: named(good + ","), want: AmbiguousCredential, at: header},
		"a key with commas":      {key: "a,b,c", places: only(header), headers: named("a,b,c"), want: Allowed, at: header},
		"a key that is a comma":  {key: ",", places: only(header), headers: named(","), want: Allowed, at: header},
		"two headers may be":     {places: only(header, keyring.Credential{Place: keyring.Header, Name: "api-key"}), headers: fields{"api-key": {good}}, want: Allowed, at: keyring.Credential{Place: keyring.Header, Name: "api-key"}},
		"but not both":           {places: only(header, keyring.Credential{Place: keyring.Header, Name: "api-key"}), headers: fields{"api-key": {good}, "x-api-key": {good}}, want: AmbiguousCredential},
		"no places are none":     {headers: named(good), want: MissingCredential},
		"a place of no kind too": {places: only(none), headers: named(good), want: MissingCredential},
	})
}

// Before the lookup only bounds are checked: 1 to 512 visible ASCII characters.
func TestBounds(t *testing.T) {
	bad := map[string]string{
		"empty": "", "513 characters": repeat("x", 513), "huge": repeat("x", 1<<20), "a space within": "a b", "a tab within": "a\tb",
		"NUL": "\x00", "DEL": "a\x7f", "a control character": "a\x1b[2J", "beyond ASCII": "schlüssel", "not UTF-8": "a\xff\xfe", "a newline within": "a\nb",
	}
	for name, raw := range bad {
		checkCredentials(t, map[string]credentialRow{ // known, and still not looked up
			name + ", Bearer": {key: raw, places: only(bearer), headers: authorization("Bearer " + raw), want: MalformedCredential, at: bearer},
			name + ", Header": {key: raw, places: only(header), headers: fields{"x-api-key": {raw}}, want: MalformedCredential, at: header},
			name + ", Query":  {key: raw, places: only(query), query: "api_key=" + url.QueryEscape(raw), want: MalformedCredential, at: query},
			name + ", Basic":  {key: raw, places: only(basic), headers: authorization("Basic " + encoded(raw+":")), want: MalformedCredential, at: basic},
			name + ", Cookie": {key: raw, places: only(cookie), headers: fields{"cookie": {"key=" + raw}}, want: MalformedCredential, at: cookie},
		})
	}
}

// Imported keys of any shape pass once their digest is known.
func TestKnownKeysOfAnyShape(t *testing.T) {
	for name, raw := range map[string]string{
		"one character": "x", "512 characters": repeat("x", 512), "the bounds of ASCII": "!~", "commas": "a,b", "a scheme": "Bearer",
		"quotes": `"q"`, "percent": "%41", "a wrong checksum's worth": good[:39] + "0", "other case": "BK_LIVE", "the seed's": staxBill, "equals": "a==", "plus": "a+b/c",
	} {
		checkCredentials(t, map[string]credentialRow{
			name + ", Bearer": {key: raw, places: only(bearer), headers: authorization("Bearer " + raw), want: Allowed, at: bearer},
			name + ", Header": {key: raw, places: only(header), headers: fields{"x-api-key": {raw}}, want: Allowed, at: header},
			name + ", Query":  {key: raw, places: only(query), query: "api_key=" + url.QueryEscape(raw), want: Allowed, at: query},
			name + ", Basic":  {key: raw, places: only(basic), headers: authorization("Basic " + encoded(raw+":")), want: Allowed, at: basic},
			name + ", Cookie": {key: raw, places: only(cookie), headers: fields{"cookie": {"key=" + raw}}, want: Allowed, at: cookie},
		})
	}
}

// After a miss the shape chooses the reason, over all formats of the API.
func TestShapeChoosesTheReason(t *testing.T) {
	tests := map[string]struct {
		formats []key.Format
		want    Reason
	}{
		"its only format":     {[]key.Format{{Prefix: "bk", Environment: "live", Separator: "_", Alphabet: key.Hex, Length: 32}}, UnknownKey},
		"one of its formats":  {[]key.Format{key.Default, {Prefix: "bk", Environment: "live", Separator: "_", Alphabet: key.Hex, Length: 32}}, UnknownKey},
		"another format":      {[]key.Format{key.Default}, MalformedCredential},
		"without a checksum":  {[]key.Format{{Prefix: "bk", Environment: "live", Separator: "_", Alphabet: key.Hex, Length: 24, Checksum: true}}, MalformedCredential},
		"no format is no key": {nil, MalformedCredential},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := simpleWorld(good, bearer)
			w.api.Formats = tt.formats
			w.send(authorization("Bearer " + other))
			expectReason(t, w.outcome(), tt.want)
			w.send(authorization("Bearer " + good))
			expectReason(t, w.outcome(), Allowed)
		})
	}
}
