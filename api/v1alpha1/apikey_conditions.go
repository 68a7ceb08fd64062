package v1alpha1

// ConditionReady is on both kinds. For kstatus, True is Current; False is Failed
// with ConditionStalled, and else InProgress, as is Unknown.
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

// ReasonPending is of Ready=Unknown on an object of either kind that no controller
// has looked at yet: else kstatus would take it for Current.
const ReasonPending = "Pending"

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

// Reasons of Ready on an APIKey with existingKey, and of one that adopts a Secret.
const (
	// ReasonExistingKeyNotFound: the Secret or its entry isn't there. Ready=False.
	ReasonExistingKeyNotFound = "ExistingKeyNotFound"
	// ReasonImportNotAllowed: the Secret lacks the label that allows its import.
	// Ready=False.
	ReasonImportNotAllowed = "ImportNotAllowed"
	// ReasonWeakKey: the existing key is too short, of too few different
	// characters, or holds others than visible ASCII. Ready=False.
	ReasonWeakKey = "WeakKey"
	// ReasonDuplicateKey: an older APIKey of the same API holds the same key. It
	// keeps it; this one isn't accepted. Ready=False.
	ReasonDuplicateKey = "DuplicateKey"
)

// ConditionStalled is on both kinds: True, and else absent, where an object won't
// become Ready until somebody acts. kstatus computes Failed from it. Reason and
// message are those of Ready.
const ConditionStalled = "Stalled"

// ConditionPropagated says whether all live auth servers have seen the last change
// of spec or status.keys. It speaks of that change: servers that start later read
// everything first. Absent as long as there is no key.
const ConditionPropagated = "Propagated"

// Reasons of Propagated.
const (
	// ReasonPropagated: all have seen it. True.
	ReasonPropagated = "Propagated"
	// ReasonPropagating: some haven't yet. False.
	ReasonPropagating = "Propagating"
	// ReasonLagging: some haven't for more than 30 seconds. False.
	ReasonLagging = "Lagging"
	// ReasonServersSilent: all that report have seen it, and some have stopped to
	// report within the last hour: they may be gone, or cut off and serving what they
	// knew. Unknown.
	ReasonServersSilent = "ServersSilent"
	// ReasonNoAuthServers: no auth server reports. Unknown.
	ReasonNoAuthServers = "NoAuthServers"
)

// ConditionRotationPending is True, and else absent, where a rotation is due and
// waits.
const ConditionRotationPending = "RotationPending"

// Reasons of RotationPending.
const (
	// ReasonOverlapRunning: the key before the current one is still accepted.
	ReasonOverlapRunning = "OverlapRunning"
	// ReasonAwaitingAuthServers: the next key is published, and not all auth
	// servers have seen it: it isn't in the Secret yet.
	ReasonAwaitingAuthServers = "AwaitingAuthServers"
	// ReasonNotReady: what Ready says stands in its way.
	ReasonNotReady = "NotReady"
)

// ConditionPreviousKeyInUse says whether replaced keys that are still accepted are
// used. Absent where there are none.
const ConditionPreviousKeyInUse = "PreviousKeyInUse"

// Reasons of PreviousKeyInUse.
const (
	// ReasonInUse: one was used of late. True.
	ReasonInUse = "InUse"
	// ReasonEndsInUse: one was used of late, and ends soon. True.
	ReasonEndsInUse = "EndsInUse"
	// ReasonNotInUse: none was used of late. False.
	ReasonNotInUse = "NotInUse"
)

// ConditionSecretOutdated is True, and else absent, where spec.secret was changed
// after the Secret was deleted by secret.deleteAfter: with no raw key left there is
// nothing to write. The next rotation does.
const ConditionSecretOutdated = "SecretOutdated"

// ReasonDelivered is the reason of SecretOutdated.
const ReasonDelivered = "Delivered"

// LabelImport is put by its owner on a Secret that existingKey.secretKeyRef may
// read, with the value "true": else whoever may create an APIKey could have any
// Secret hashed into its status.
const LabelImport = "apikey-operator.dev/import"

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
