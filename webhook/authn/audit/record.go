package audit

import "time"

// Record is one line. Names are never reused for another meaning; readers must
// accept new ones.
type Record struct {
	// Time is when the request was judged, in UTC.
	Time time.Time `json:"time"`
	// Verdict is allowed or denied, and Reason why: a constant of internal/auth.
	Verdict string `json:"verdict"`
	Reason  string `json:"reason"`
	// Status is what the API wants its client to see; 200 for what was let through,
	// whose real status only the upstream knows.
	Status int `json:"status"`
	// Door is where we were asked: ext_authz, nginx, …
	Door string `json:"door"`
	// API is <namespace>/<name>, or default. Without one, none was found.
	API string `json:"api,omitempty"`
	// Key is whose credential it was, also on denials. Without one, none was known
	// or none was needed.
	Key *Key `json:"key,omitempty"`

	Method string `json:"method,omitempty"`
	Host   string `json:"host,omitempty"`
	// Route is the pattern that matched, Path the path without its query.
	Route string `json:"route,omitempty"`
	Path  string `json:"path,omitempty"`
	// Client is the client's address, where it is known, and Caller the address of
	// the gateway that asked.
	Client string `json:"client,omitempty"`
	Caller string `json:"caller,omitempty"`
	// Source and RequestID are the client's own words, or the gateway's.
	Source    string `json:"source"`
	RequestID string `json:"requestId,omitempty"`

	// LatencyMicros is how long the decision took, in microseconds.
	LatencyMicros int64 `json:"latencyMicros"`
}

// Key is the identity of a key. Hint is the part of it that may be shown.
type Key struct {
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	UID         string `json:"uid,omitempty"`
	Hint        string `json:"hint,omitempty"`
	Project     string `json:"project,omitempty"`
	Environment string `json:"environment,omitempty"`
	Owner       *Owner `json:"owner,omitempty"`
}

// Owner is whose key it is.
type Owner struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}
