package extauthz

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
)

// Numbers of fields, as in envoy/service/auth/v3, envoy/config/core/v3,
// google/rpc and google/protobuf.
const (
	responseStatus, responseDenied, responseOK, responseMetadata = 1, 2, 3, 4 // CheckResponse

	okHeaders, okRemove, okResponseHeaders  = 2, 5, 6 // OkHttpResponse
	deniedStatus, deniedHeaders, deniedBody = 1, 2, 3 // DeniedHttpResponse
	statusCode                              = 1       // Status and HttpStatus

	optionHeader, optionAction = 1, 3 // HeaderValueOption
	overwrite                  = 2    // OVERWRITE_IF_EXISTS_OR_ADD

	structFields                          = 1       // Struct
	valueString, valueStruct, valueOfList = 3, 5, 6 // Value
	listValues                            = 1       // ListValue
)

// oneByte is what a length of one byte is below. Almost all are: what has none longer
// is written at once, and the rest as any message.
const oneByte = 0x80

func (w *writer) denied(r authn.Response) {
	status := w.open(responseStatus)
	w.number(statusCode, uint64(rpcCode(r.Status)))
	w.close(status)
	denied := w.open(responseDenied)
	code := w.open(deniedStatus)
	w.number(statusCode, uint64(r.Status))
	w.close(code)
	for _, f := range r.Headers {
		w.header(deniedHeaders, f.Name, f.Value)
	}
	if len(r.Body) > 0 {
		w.b = protowire.AppendBytes(protowire.AppendTag(w.b, deniedBody, protowire.BytesType), r.Body)
	}
	w.close(denied)
}

func (w *writer) allowed(v *auth.Verdict, prepared *prepared) {
	w.close(w.open(responseStatus)) // the zero code is OK
	scopes := prepared.scopesOf(v)
	ok := w.open(responseOK)
	for i, name := range authn.IdentityHeaders {
		if i == authn.ScopesHeader && scopes != nil && !authn.Hidden(v, i) {
			w.b = append(w.b, scopes.header...)
		} else {
			w.identity(v, i, name)
		}
	}
	if name := authn.CredentialHeader(v); name != "" {
		w.text(okRemove, name)
	}
	if v.Limited {
		w.rate(v)
	}
	w.close(ok)
	if v.Key != nil { // otherwise it is a public route
		metadata := w.open(responseMetadata)
		w.metadata(v, scopes)
		w.close(metadata)
	}
}

// identity sets a header of the upstream's request, or takes the client's away.
func (w *writer) identity(v *auth.Verdict, i int, name string) {
	if value := authn.IdentityValue(v, i); value != "" {
		w.header(okHeaders, name, value)
	} else {
		w.text(okRemove, name)
	}
}

// rate tells the client what is left of its limit.
func (w *writer) rate(v *auth.Verdict) {
	option, header := w.openHeader(okResponseHeaders, authn.RatePolicyHeader)
	value := w.open(entryValue)
	w.b = authn.AppendRatePolicy(w.b, v)
	w.close(value)
	w.closeHeader(option, header)

	option, header = w.openHeader(okResponseHeaders, authn.RateHeader)
	value = w.open(entryValue)
	w.b = authn.AppendRate(w.b, v)
	w.close(value)
	w.closeHeader(option, header)
}

// metadata is the identity for other filters and access logs of the gateway,
// under the namespace envoy.filters.http.ext_authz.
func (w *writer) metadata(v *auth.Verdict, scopes *scopes) {
	k := v.Key
	w.field("name", k.Name.Name)
	w.field("namespace", k.Name.Namespace)
	w.field("project", k.Project)
	w.b = append(w.b, scopes.field...)
	w.field("environment", k.Environment)
	w.field("hint", v.Hint())
	field, value := w.openField("owner")
	owner := w.open(valueStruct)
	w.field("name", k.OwnerName)
	w.field("email", k.OwnerEmail)
	w.close(owner)
	w.closeField(field, value)
}

// field writes a field of a Struct.
func (w *writer) field(name, value string) {
	if size := len(name) + len(value) + 8; size < oneByte {
		w.b = append(w.b, structFields<<3|2, byte(size-2), entryName<<3|2, byte(len(name)))
		w.b = append(w.b, name...)
		w.b = append(w.b, entryValue<<3|2, byte(len(value)+2), valueString<<3|2, byte(len(value)))
		w.b = append(w.b, value...)
		return
	}
	f, v := w.openField(name)
	w.text(valueString, value)
	w.closeField(f, v)
}

func (w *writer) openField(name string) (field, value int) {
	field = w.open(structFields)
	w.text(entryName, name)
	return field, w.open(entryValue)
}

func (w *writer) closeField(field, value int) {
	w.close(value)
	w.close(field)
}

// list writes the field of a Struct with a list of strings.
func (w *writer) list(name string, values []string) {
	field, value := w.openField(name)
	list := w.open(valueOfList)
	for _, s := range values {
		item := w.open(listValues)
		w.text(valueString, s)
		w.close(item)
	}
	w.close(list)
	w.closeField(field, value)
}

// header sets a header in place of any that is there.
func (w *writer) header(number protowire.Number, name, value string) {
	if size := len(name) + len(value) + 8; size < oneByte {
		w.b = append(w.b, byte(number)<<3|2, byte(size), optionHeader<<3|2, byte(size-4), entryName<<3|2, byte(len(name)))
		w.b = append(w.b, name...)
		w.b = append(w.b, entryValue<<3|2, byte(len(value)))
		w.b = append(w.b, value...)
		w.b = append(w.b, optionAction<<3, overwrite)
		return
	}
	option, header := w.openHeader(number, name)
	w.text(entryValue, value)
	w.closeHeader(option, header)
}

func (w *writer) openHeader(number protowire.Number, name string) (option, header int) {
	option = w.open(number)
	header = w.open(optionHeader)
	w.text(entryName, name)
	return option, header
}

func (w *writer) closeHeader(option, header int) {
	w.close(header)
	w.number(optionAction, overwrite)
	w.close(option)
}

// rpcCode is the gRPC code of an HTTP status. Only OK lets a request pass.
func rpcCode(status int) codes.Code {
	switch status {
	case 400:
		return codes.InvalidArgument
	case 401:
		return codes.Unauthenticated
	case 429:
		return codes.ResourceExhausted
	case 503:
		return codes.Unavailable
	default:
		return codes.PermissionDenied
	}
}
