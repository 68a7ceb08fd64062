package auth

import (
	"net/url"
	"testing"
)

func TestQuery(t *testing.T) {
	rows := map[string]credentialRow{
		"alone":                    {query: "api_key=" + good, want: Allowed, at: query},
		"among others":             {query: "a=1&api_key=" + good + "&b=2", want: Allowed, at: query},
		"between empty ones":       {query: "&&api_key=" + good + "&", want: Allowed, at: query},
		"value percent-encoded":    {query: "api_key=%62k_live_1234567890abcdef1234567890abcdef", want: Allowed, at: query},
		"name percent-encoded":     {query: "api%5Fkey=" + good, want: Allowed, at: query},
		"a key with plus":          {key: "a+b", query: "api_key=a%2Bb", want: Allowed, at: query},
		"plus is a space":          {key: "a+b", query: "api_key=a+b", want: MalformedCredential, at: query},
		"a key with equals":        {key: "a=b=", query: "api_key=a=b=", want: Allowed, at: query},
		"a key with ampersand":     {key: "a&b", query: "api_key=a%26b", want: Allowed, at: query},
		"nobody's":                 {query: "api_key=" + other, want: UnknownKey, at: query},
		"no value":                 {query: "api_key=", want: MalformedCredential, at: query},
		"no equals sign":           {query: "api_key", want: MalformedCredential, at: query},
		"malformed escape":         {query: "api_key=%zz", want: MalformedCredential, at: query},
		"escape cut short":         {query: "api_key=" + good + "%4", want: MalformedCredential, at: query},
		"malformed elsewhere":      {query: "x=%zz&%=1&api_key=" + good, want: Allowed, at: query},
		"not UTF-8":                {query: "api_key=%ff%fe", want: MalformedCredential, at: query},
		"NUL after it":             {query: "api_key=" + good + "%00", want: MalformedCredential, at: query},
		"repeated":                 {query: "api_key=" + other + "&api_key=" + good, want: AmbiguousCredential},
		"repeated, equal":          {query: "api_key=" + good + "&api_key=" + good, want: AmbiguousCredential},
		"repeated, one encoded":    {query: "api_key=" + good + "&%61pi_key=" + good, want: AmbiguousCredential},
		"repeated, one empty":      {query: "api_key=" + good + "&api_key", want: AmbiguousCredential},
		"repeated, one malformed":  {query: "api_key=" + good + "&api_key=%zz", want: AmbiguousCredential},
		"joined":                   {query: "api_key=" + good + "," + good, want: AmbiguousCredential, at: query},
		"another case":             {query: "API_KEY=" + good, want: MissingCredential},
		"part of a name":           {query: "my_api_key=" + good + "&api_key2=" + good, want: MissingCredential},
		"an array":                 {query: "api_key[]=" + good, want: MissingCredential},
		"behind a semicolon":       {query: "a=1;api_key=" + good, want: MissingCredential},
		"behind another mark":      {query: "?api_key=" + good, want: MissingCredential},
		"empty":                    {query: "", want: MissingCredential},
		"in a header of that name": {headers: fields{"api_key": {good}}, want: MissingCredential},
		"in a cookie of that name": {headers: fields{"cookie": {"api_key=" + good}}, want: MissingCredential},
	}
	for name, row := range rows {
		row.places = only(query)
		rows[name] = row
	}
	checkCredentials(t, rows)
}

func TestCookie(t *testing.T) {
	cookies := func(values ...string) fields { return fields{"cookie": values} }
	rows := map[string]credentialRow{
		"alone":                     {headers: cookies("key=" + good), want: Allowed, at: cookie},
		"among others":              {headers: cookies("a=1; key=" + good + "; b=2"), want: Allowed, at: cookie},
		"without spaces":            {headers: cookies("a=1;key=" + good + ";b=2"), want: Allowed, at: cookie},
		"with more spaces":          {headers: cookies(" a=1 ;\t key=" + good + "  ; b=2"), want: Allowed, at: cookie},
		"in one of many headers":    {headers: cookies("a=1", "key="+good, "b=2"), want: Allowed, at: cookie},
		"among empty ones":          {headers: cookies("", ";;", "; key="+good+";"), want: Allowed, at: cookie},
		"a key with equals":         {key: "a=b==", headers: cookies("key=a=b=="), want: Allowed, at: cookie},
		"nobody's":                  {headers: cookies("key=" + other), want: UnknownKey, at: cookie},
		"not percent-decoded":       {headers: cookies("key=" + url.QueryEscape(good) + "%41"), want: MalformedCredential, at: cookie},
		"empty":                     {headers: cookies("key="), want: MalformedCredential, at: cookie},
		"repeated":                  {headers: cookies("key=" + other + "; key=" + good), want: AmbiguousCredential},
		"repeated, equal":           {headers: cookies("key=" + good + "; key=" + good), want: AmbiguousCredential},
		"repeated over headers":     {headers: cookies("key="+good, "a=1; key="+good), want: AmbiguousCredential},
		"repeated, one empty":       {headers: cookies("key=; key=" + good), want: AmbiguousCredential},
		"joined":                    {headers: cookies("key=" + good + ",key=" + good), want: AmbiguousCredential, at: cookie},
		"joined with a space":       {headers: cookies("key=" + good + ", key=" + good), want: AmbiguousCredential, at: cookie},
		"another case":              {headers: cookies("Key=" + good), want: MissingCredential},
		"part of a name":            {headers: cookies("mykey=" + good + "; key2=" + good), want: MissingCredential},
		"part of a value":           {headers: cookies("a=key=" + good), want: MissingCredential},
		"a name without a value":    {headers: cookies("key"), want: MissingCredential},
		"no header":                 {want: MissingCredential},
		"an empty header":           {headers: cookies(""), want: MissingCredential},
		"in the query":              {query: "key=" + good, want: MissingCredential},
		"a quoted value isn't bare": {headers: cookies(`key="` + good + `"`), want: MalformedCredential, at: cookie},
	}
	for name, row := range rows {
		row.places = only(cookie)
		rows[name] = row
	}
	checkCredentials(t, rows)
}

// More than one credential is ambiguous, even if equal; places that aren't
// configured are ignored.
func TestSeveralPlaces(t *testing.T) {
	all := only(bearer, basic, header, query, cookie)
	inBearer, inBasic := "Bearer "+good, "Basic "+encoded(good+":")
	checkCredentials(t, map[string]credentialRow{
		"Bearer alone":        {places: all, headers: authorization(inBearer), want: Allowed, at: bearer},
		"Basic alone":         {places: all, headers: authorization(inBasic), want: Allowed, at: basic},
		"header alone":        {places: all, headers: fields{"x-api-key": {good}}, want: Allowed, at: header},
		"query alone":         {places: all, query: "api_key=" + good, want: Allowed, at: query},
		"cookie alone":        {places: all, headers: fields{"cookie": {"key=" + good}}, want: Allowed, at: cookie},
		"none":                {places: all, headers: fields{"cookie": {"a=b"}, "authorization": {"Digest x"}}, query: "a=b", want: MissingCredential},
		"order of the places": {places: only(cookie, query, header, basic, bearer), headers: authorization(inBearer), want: Allowed, at: bearer},

		"Bearer and Basic":      {places: all, headers: authorization(inBearer, inBasic), want: AmbiguousCredential},
		"Bearer and header":     {places: all, headers: fields{"authorization": {inBearer}, "x-api-key": {good}}, want: AmbiguousCredential},
		"Bearer and query":      {places: all, headers: authorization(inBearer), query: "api_key=" + good, want: AmbiguousCredential},
		"Basic and cookie":      {places: all, headers: fields{"authorization": {inBasic}, "cookie": {"key=" + good}}, want: AmbiguousCredential},
		"header and cookie":     {places: all, headers: fields{"x-api-key": {good}, "cookie": {"key=" + good}}, want: AmbiguousCredential},
		"query and cookie":      {places: all, headers: fields{"cookie": {"key=" + good}}, query: "api_key=" + good, want: AmbiguousCredential},
		"different ones":        {places: all, headers: fields{"authorization": {inBearer}, "x-api-key": {other}}, want: AmbiguousCredential},
		"good and malformed":    {places: all, headers: fields{"authorization": {inBearer}, "x-api-key": {"a b"}}, want: AmbiguousCredential},
		"all malformed":         {places: all, headers: fields{"authorization": {"Bearer x"}, "x-api-key": {"y"}}, want: AmbiguousCredential},
		"everywhere, different": {places: all, headers: fields{"authorization": {inBasic}, "x-api-key": {"x"}, "cookie": {"key=y"}}, query: "api_key=z", want: AmbiguousCredential},

		"another scheme beside": {places: only(bearer, header), headers: fields{"authorization": {inBasic}, "x-api-key": {good}}, want: Allowed, at: header},
		"a header beside":       {places: only(bearer), headers: fields{"authorization": {inBearer}, "x-api-key": {good, other}}, want: Allowed, at: bearer},
		"a query beside":        {places: only(bearer), headers: authorization(inBearer), query: "api_key=x&api_key=y", want: Allowed, at: bearer},
		"a cookie beside":       {places: only(bearer), headers: fields{"authorization": {inBearer}, "cookie": {"key=x; key=y"}}, want: Allowed, at: bearer},
		"Authorization beside":  {places: only(query), headers: authorization("Bearer x", "Basic y"), query: "api_key=" + good, want: Allowed, at: query},
	})
}
