package v1alpha1

// ConditionReady is on both kinds. For kstatus, True is Current and False is
// InProgress.
//
// On an APIKey it says that the key is as declared: issued and in its Secret,
// or, where so declared, suspended or revoked.
// On a ProtectedAPI it says that auth servers can serve it.
const ConditionReady = "Ready"

// ConditionWithinLimits says whether an APIKey keeps to its ProtectedAPI's
// keyLimits. It is absent where there are none, and on a revoked key. A key that
// was issued before is reported and works on; one that wasn't isn't issued.
const ConditionWithinLimits = "WithinLimits"

// Reasons of WithinLimits on an APIKey; ReasonLimitExceeded is the other one.
const (
	// ReasonWithinLimits: it keeps to all of them. WithinLimits=True.
	ReasonWithinLimits = "WithinLimits"
)

// Reasons of Ready on an APIKey.
const (
	// ReasonIssued: the raw key is in the Secret and accepted. Ready=True.
	ReasonIssued = "Issued"
	// ReasonSuspended: as declared; requests are denied. Ready=True.
	ReasonSuspended = "Suspended"
	// ReasonRevoked: as declared; requests are denied and the Secret is gone.
	// Ready=True.
	ReasonRevoked = "Revoked"
	// ReasonExpired: expiresAt has passed. Ready=False.
	ReasonExpired = "Expired"
	// ReasonIssuing: a raw key is on its way into the Secret. Ready=False.
	ReasonIssuing = "Issuing"
	// ReasonAPINotFound: apiRef names no ProtectedAPI. Ready=False.
	ReasonAPINotFound = "APINotFound"
	// ReasonNamespaceNotAllowed: the ProtectedAPI's allowedNamespaces doesn't let
	// this namespace in. Ready=False; requests are denied.
	ReasonNamespaceNotAllowed = "NamespaceNotAllowed"
	// ReasonInvalidEnvironment: environment isn't one of the API's. Ready=False.
	ReasonInvalidEnvironment = "InvalidEnvironment"
	// ReasonInvalidAPI: the ProtectedAPI can't be used; see its own Ready
	// condition. Ready=False.
	ReasonInvalidAPI = "InvalidAPI"
	// ReasonInvalidTemplate: an entry of secret.data can't be rendered.
	// Ready=False; the Secret stays as it was.
	ReasonInvalidTemplate = "InvalidTemplate"
	// ReasonUnknownScope: scopes name some that the ProtectedAPI doesn't declare,
	// which grant nothing. Ready=False; a key that was issued works on with its
	// other scopes, and one that wasn't isn't issued.
	ReasonUnknownScope = "UnknownScope"
	// ReasonLimitExceeded: the ProtectedAPI's keyLimits are exceeded.
	// WithinLimits=False, and Ready=False for a key that wasn't issued before: it
	// isn't issued.
	ReasonLimitExceeded = "LimitExceeded"
	// ReasonSecretConflict: a Secret of the wanted name belongs to somebody else.
	// It is never touched. Ready=False.
	ReasonSecretConflict = "SecretConflict"
	// ReasonSecretTerminating: a Secret of the wanted name belongs to an APIKey
	// that was deleted; the controller waits for its collection. Ready=False.
	ReasonSecretTerminating = "SecretTerminating"
	// ReasonTooManyVersions: four key versions are accepted already; the next is
	// issued when one of them ends. Ready=False.
	ReasonTooManyVersions = "TooManyVersions"
	// ReasonWriteFailed: the API server refused the Secret, for instance by a
	// quota. Ready=False; it is tried again.
	ReasonWriteFailed = "WriteFailed"
)

// Labels and annotations on the Secrets of APIKeys.
const (
	// LabelAPIKeyUID is on every Secret of ours and holds its APIKey's uid. The
	// controller's Secret cache selects by it.
	LabelAPIKeyUID = "apikey-operator.dev/apikey-uid"
	// AnnotationAPIKey holds the APIKey's name.
	AnnotationAPIKey = "apikey-operator.dev/apikey"
	// AnnotationDigest holds the digest of the raw key in the Secret.
	AnnotationDigest = "apikey-operator.dev/digest"
	// AnnotationEntry names the entry that holds the raw key.
	AnnotationEntry = "apikey-operator.dev/entry"
	// AnnotationIssuedAt holds when the raw key was generated (RFC 3339).
	AnnotationIssuedAt = "apikey-operator.dev/issued-at"
	// AnnotationApplied lists the names of the labels and annotations that came
	// from the APIKey, so that those taken out of it are taken off the Secret.
	AnnotationApplied = "apikey-operator.dev/applied"
)
