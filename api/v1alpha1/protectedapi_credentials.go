package v1alpha1

// Credential is one place where a request's key is looked for.
//
// +union
// +kubebuilder:validation:XValidation:rule="(self.type == 'Header') == has(self.header)",message="header is required with type Header and refused otherwise",fieldPath=".header"
// +kubebuilder:validation:XValidation:rule="(self.type == 'Query') == has(self.query)",message="query is required with type Query and refused otherwise",fieldPath=".query"
// +kubebuilder:validation:XValidation:rule="(self.type == 'Cookie') == has(self.cookie)",message="cookie is required with type Cookie and refused otherwise",fieldPath=".cookie"
type Credential struct {
	// type is the kind of place: Bearer ("Authorization: Bearer <key>", RFC 6750),
	// Basic ("Authorization: Basic" with the key itself, or with the key as user
	// name and no password, RFC 7617), Header, Query or Cookie.
	//
	// +required
	// +unionDiscriminator
	Type CredentialType `json:"type,omitempty"`

	// header is the header that holds the key, with type Header.
	//
	// +optional
	Header *HeaderCredential `json:"header,omitempty"`

	// query is the query parameter that holds the key, with type Query. The
	// upstream sees it too: no proxy can take it out.
	//
	// +optional
	Query *QueryCredential `json:"query,omitempty"`

	// cookie is the cookie that holds the key, with type Cookie. The upstream sees
	// it too: no proxy can take it out.
	//
	// +optional
	Cookie *CookieCredential `json:"cookie,omitempty"`
}

// CredentialType is the kind of place where a key is looked for.
//
// +kubebuilder:validation:Enum=Bearer;Basic;Header;Query;Cookie
type CredentialType string

// Values of CredentialType.
const (
	CredentialBearer CredentialType = "Bearer"
	CredentialBasic  CredentialType = "Basic"
	CredentialHeader CredentialType = "Header"
	CredentialQuery  CredentialType = "Query"
	CredentialCookie CredentialType = "Cookie"
)

// HeaderCredential is a header whose whole value is the key.
type HeaderCredential struct {
	// name is the header's name, in any case. Authorization, Cookie, Host and
	// headers that proxies write are refused.
	//
	// +required
	// +kubebuilder:validation:XValidation:rule="!self.lowerAscii().matches('^(authorization|proxy-authorization|cookie|host|connection|proxy-connection|keep-alive|content-length|transfer-encoding|te|trailer|upgrade|forwarded|x-forwarded-.*|x-real-ip|x-original-.*|x-apikey-.*|x-envoy-.*)$')",message="Authorization, Cookie, Host, hop-by-hop headers and headers that proxies or this project write can't hold a key: use type Bearer, Basic or Cookie, or another header"
	Name HeaderName `json:"name,omitempty"`
}

// QueryCredential is a query parameter whose value is the key.
type QueryCredential struct {
	// name is the parameter's name, in this case.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9._~-]+$`
	Name string `json:"name,omitempty"`
}

// CookieCredential is a cookie whose value is the key (RFC 6265).
type CookieCredential struct {
	// name is the cookie's name, in this case.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$%&'*+.^_|~-]+$`
	Name string `json:"name,omitempty"`
}

// KeyFormat is the shape of raw keys: prefix, separator, environment, separator,
// random characters, checksum. Parts that are unset are left out together with
// their separator. The random characters must hold at least 128 bits.
//
// +kubebuilder:validation:XValidation:rule="self.length >= (self.encoding == 'Hex' ? 32 : (self.encoding == 'Base36' ? 25 : 22))",message="a key must hold at least 128 bits: at least 32 characters of Hex, 25 of Base36, 22 of Base62 or Base64",fieldPath=".length"
type KeyFormat struct {
	// prefix starts every raw key, such as bk. Unset: none.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`
	Prefix string `json:"prefix,omitempty"`

	// separator stands between prefix, environment and random characters: "_",
	// "-", "." or "" (none). Unset: "_".
	//
	// +optional
	// +default="_"
	Separator *Separator `json:"separator,omitempty"`

	// environments are the environments that a key of this API may name; with any
	// here, every APIKey must name one. Unset: keys have no environment.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Environments []EnvironmentName `json:"environments,omitempty"`

	// encoding is the alphabet of the random characters: Hex (0-9a-f), Base36
	// (0-9a-z), Base62 (0-9A-Za-z) or Base64 (RFC 4648, section 4). Unset: Base62.
	//
	// +optional
	// +default="Base62"
	Encoding Encoding `json:"encoding,omitempty"`

	// length is the number of random characters, 22 to 256. Unset: 32.
	//
	// +optional
	// +default=32
	// +kubebuilder:validation:Minimum=22
	// +kubebuilder:validation:Maximum=256
	Length int32 `json:"length,omitempty"`

	// checksum CRC32 appends the CRC-32 (IEEE 802.3) of all characters before it,
	// in the same alphabet: 8 characters of Hex, 7 of Base36, 6 of Base62 or
	// Base64. Unset: None.
	//
	// +optional
	// +default="None"
	Checksum Checksum `json:"checksum,omitempty"`
}

// Separator stands between the parts of a raw key.
//
// +kubebuilder:validation:Enum="";"_";"-";"."
type Separator string

// Encoding is an alphabet of random characters.
//
// +kubebuilder:validation:Enum=Hex;Base36;Base62;Base64
type Encoding string

// Values of Encoding.
const (
	EncodingHex    Encoding = "Hex"
	EncodingBase36 Encoding = "Base36"
	EncodingBase62 Encoding = "Base62"
	EncodingBase64 Encoding = "Base64"
)

// Checksum is what ends a raw key.
//
// +kubebuilder:validation:Enum=None;CRC32
type Checksum string

// Values of Checksum.
const (
	ChecksumNone  Checksum = "None"
	ChecksumCRC32 Checksum = "CRC32"
)

// ClientIP says how the client's address is found.
type ClientIP struct {
	// trustedProxies narrows the operator's own list (--trusted-proxies): only
	// proxies in both are believed when they name the client in X-Forwarded-For.
	// Addresses that the operator doesn't trust have no effect here.
	//
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	TrustedProxies []IPBlock `json:"trustedProxies,omitempty"`
}
