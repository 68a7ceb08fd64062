package v1alpha1

// Conditions of a ProtectedAPI beside ConditionReady.
const (
	// ConditionHostsAccepted says whether every host in spec.hosts leads to this
	// API. It is absent where there are none.
	ConditionHostsAccepted = "HostsAccepted"
	// ConditionCredentialsRemoved says whether the credential is kept from the
	// upstream wherever it may be sent.
	ConditionCredentialsRemoved = "CredentialsRemoved"
)

// Reasons of the conditions of a ProtectedAPI.
const (
	// ReasonAccepted: auth servers serve it. Ready=True.
	ReasonAccepted = "Accepted"
	// ReasonInvalidSelector: allowedNamespaces.selector can't be read. Ready=False;
	// requests are answered with 503.
	ReasonInvalidSelector = "InvalidSelector"
	// ReasonInvalidSpec: the spec can't be used although the schema lets it pass.
	// Ready=False; requests are answered with 503.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonGranted: every host is granted and won. HostsAccepted=True.
	ReasonGranted = "Granted"
	// ReasonNotGranted: --host-claims grants this namespace none of the named
	// hosts. HostsAccepted=False.
	ReasonNotGranted = "NotGranted"
	// ReasonHostConflict: another ProtectedAPI holds the named hosts.
	// HostsAccepted=False.
	ReasonHostConflict = "HostConflict"
	// ReasonHeadersRemoved: credentials are read from headers only, which proxies
	// remove. CredentialsRemoved=True.
	ReasonHeadersRemoved = "HeadersRemoved"
	// ReasonQueryOrCookie: a credential in a query or a cookie reaches the
	// upstream. CredentialsRemoved=False.
	ReasonQueryOrCookie = "QueryOrCookie"
)
