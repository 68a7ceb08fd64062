package feed

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	"k8s.io/apimachinery/pkg/watch"
	restwatch "k8s.io/client-go/rest/watch"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
)

// clientGo is how client-go decodes a watch, to compare with.
func clientGo(tb testing.TB, stream []byte) watch.Decoder {
	tb.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		tb.Fatal(err)
	}
	metav1.AddToGroupVersion(scheme, metav1.Unversioned)
	codecs := serializer.NewCodecFactory(scheme).WithoutConversion()
	negotiator := runtime.NewClientNegotiator(codecs, v1alpha1.GroupVersion)
	object, event, framer, err := negotiator.StreamDecoder(runtime.ContentTypeJSON, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return restwatch.NewDecoder(streaming.NewDecoder(framer.NewFrameReader(io.NopCloser(bytes.NewReader(stream))), event), object)
}

// enforced is what may not differ between two ways to decode an event.
func enforced(o runtime.Object) any {
	switch o := o.(type) {
	case *v1alpha1.APIKey:
		return []any{compile.Key(o), o.ResourceVersion, o.Annotations[metav1.InitialEventsAnnotationKey]}
	case *metav1.Status:
		return apierrors.FromObject(o)
	default:
		return o
	}
}

// everything is an APIKey with all that auth servers enforce.
func everything() *v1alpha1.APIKey {
	k := stored(1)
	at := metav1.Date(2027, 1, 2, 3, 4, 5, 0, metav1.Now().UTC().Location())
	k.DeletionTimestamp, k.Spec.ExpiresAt, k.Status.Keys[0].NotAfter = &at, &at, &at
	k.Spec.Environment, k.Spec.State = "live", v1alpha1.DesiredSuspended
	k.Spec.Attributes = map[string]v1alpha1.AttributeValue{"tenant": "<7> \u2028 é"}
	k.Spec.ExistingKey = &v1alpha1.ExistingKey{SHA256: strings.TrimPrefix(k.Status.Keys[0].Digest, "sha256:")}
	k.Annotations = map[string]string{"note": "x"}
	return k
}

// byDefaults is an APIKey that is enforced by what its API's defaults came to.
func byDefaults() *v1alpha1.APIKey {
	k := stored(2)
	k.Spec = v1alpha1.APIKeySpec{}
	k.Status.Effective = &v1alpha1.EffectiveDefaults{ExpiresAt: &k.CreationTimestamp, RateLimit: &v1alpha1.RateLimit{Requests: 3, Period: "1m", Algorithm: v1alpha1.TokenBucket, Burst: 5}}
	return k
}

func gone() *metav1.Status {
	s := apierrors.NewResourceExpired("too old").Status()
	s.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	return &s
}

func TestEventsAreDecodedAsClientGoDoes(t *testing.T) {
	const kind = `"apiVersion":"apikey-operator.dev/v1alpha1","kind":"APIKey"`
	for _, row := range []struct {
		what   string
		stream []byte
		events int // before the end
	}{
		{"a list that is streamed", slices.Concat(line(watch.Added, everything()), line(watch.Added, byDefaults()), end("20")), 3},
		{"all types", slices.Concat(line(watch.Modified, stored(1)), line(watch.Deleted, stored(1)), line(watch.Bookmark, stored(1))), 3},
		{"an error", line(watch.Error, gone()), 1},
		{"without line breaks", []byte(strings.ReplaceAll(string(slices.Concat(line(watch.Added, stored(1)), line(watch.Added, stored(2)))), "\n", "")), 2},
		{"other line breaks", []byte("{\n\"type\" : \"ADDED\" ,\r\n\"object\" : { " + kind + " } }"), 1},
		{"fields that nobody knows", []byte(`{"a":[1,{}],"type":"ADDED","object":{` + kind + `,"b":{"c":[]},"metadata":{"d":1},"status":{"keys":[{"e":1}]}},"f":null}`), 1},
		{"fields in other case", []byte(`{"type":"ADDED","object":{` + kind + `,"Spec":{"project":"x"},"spec":{"Project":"x"},"metadata":{"NAME":"x"}}}`), 1},
		{"the last of fields that are there twice", []byte(`{"type":"ADDED","type":"DELETED","object":{` + kind + `,"spec":{"project":"x","project":"y"}},"object":{` + kind + `,"metadata":{"name":"z"}}}`), 1},
		{"nulls", []byte(`{"type":"ADDED","object":{` + kind + `,"metadata":null,"spec":null,"status":{"keys":null,"effective":null}}}`), 1},
		{"no managed fields, no conditions", []byte(`{"type":"ADDED","object":{` + kind + `,"metadata":{"managedFields":null},"status":{"conditions":[]}}}`), 1},
		{"nothing", nil, 0},
	} {
		ours, theirs := newEvents(io.NopCloser(bytes.NewReader(row.stream))), clientGo(t, row.stream)
		for i := range row.events + 1 {
			kind, object, err := ours.Decode()
			wantKind, wantObject, wantErr := theirs.Decode()
			if kind != wantKind || !reflect.DeepEqual(enforced(object), enforced(wantObject)) || !errors.Is(err, wantErr) || (err == nil) != (i < row.events) {
				t.Errorf("%s: event %d: got %s %+v, %v; client-go has %s %+v, %v", row.what, i, kind, object, err, wantKind, wantObject, wantErr)
			}
		}
	}
}

// A watch that can't be read ends; nothing of it is taken for an APIKey.
func TestEventsThatCannotBeRead(t *testing.T) {
	for _, row := range []struct{ stream, err string }{
		{`{"type":"ADDED","object":{"apiVersion":"apikey-operator.dev/v1alpha1","kind":"ProtectedAPI"}}`, "a ProtectedAPI of apikey-operator.dev/v1alpha1 among APIKeys"},
		{`{"type":"ADDED","object":{"apiVersion":"apikey-operator.dev/v9","kind":"APIKey"}}`, "a APIKey of apikey-operator.dev/v9 among APIKeys"},
		{`{"type":"ADDED","object":{}}`, "a  of  among APIKeys"},
		{`{"type":"ERROR","object":{"apiVersion":"apikey-operator.dev/v1alpha1","kind":"APIKey"}}`, `a APIKey of apikey-operator.dev/v1alpha1, want a Status`},
		{`{"type":"ADDED"}`, "a watch event without an object"},
		{`{}`, "a watch event without an object"},
		{`{"object":{}}`, `a watch event with type "" before its object`},
		{`{"type":"RENAMED","object":{}}`, `a watch event with type "RENAMED" before its object`},
		{`{"type":7,"object":{}}`, "json: cannot unmarshal number into Go value of type watch.EventType"},
		{`["ADDED"]`, "the watch has [, want {"},
		{`<html>`, "invalid character '<' looking for beginning of value"},
		{`{"type":"ADDED","object":{"kind"`, "unexpected EOF"},
		{`{"type":"ADDED",`, "unexpected EOF"},
		{`{`, "unexpected EOF"},
	} {
		_, object, err := newEvents(io.NopCloser(strings.NewReader(row.stream))).Decode()
		if err == nil || err.Error() != row.err {
			t.Errorf("%s: got %+v, %v; want the error %q", row.stream, object, err, row.err)
		}
	}
}

// Whoever adds a field decides whether it is enforced, and then has to be read.
func TestWhatIsSkippedIsKnown(t *testing.T) {
	wire := reflect.TypeFor[wireKey]()
	field := func(name string) reflect.Type {
		f, _ := wire.FieldByName(name)
		return f.Type
	}
	for _, row := range []struct {
		wire, full reflect.Type
		skipped    string
	}{
		{wire, reflect.TypeFor[v1alpha1.APIKey](), ""},
		{field("Metadata"), reflect.TypeFor[metav1.ObjectMeta](), "deletionGracePeriodSeconds finalizers generateName generation labels managedFields ownerReferences selfLink"},
		{field("Status"), reflect.TypeFor[v1alpha1.APIKeyStatus](), "conditions deliveredSecret hint nextRotationAt observedGeneration observedTriggers secretName secretPhase state"},
	} {
		read := fieldNames(row.wire)
		skipped := slices.DeleteFunc(fieldNames(row.full), func(name string) bool { return slices.Contains(read, name) })
		if got := strings.Join(skipped, " "); got != row.skipped {
			t.Errorf("of %s are skipped: %s; want %s", row.full, got, row.skipped)
		}
	}
}

// fieldNames are those of a struct in JSON, sorted.
func fieldNames(of reflect.Type) []string {
	var names []string
	for f := range of.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// FuzzEvents: what we and client-go can read is the same. Either refuses more: we know
// no other kinds, and client-go reads what we skip.
func FuzzEvents(f *testing.F) {
	for _, seed := range [][]byte{
		line(watch.Added, everything()), line(watch.Modified, byDefaults()), end("20"), line(watch.Error, gone()),
		[]byte(`{"type":"ADDED","object":{"apiVersion":"apikey-operator.dev/v1alpha1","kind":"APIKey","metadata":null}}{}`),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		ours, theirs := newEvents(io.NopCloser(bytes.NewReader(stream))), clientGo(t, stream)
		for {
			kind, object, err := ours.Decode()
			wantKind, wantObject, wantErr := theirs.Decode()
			if err != nil || wantErr != nil {
				return
			}
			if kind != wantKind || !reflect.DeepEqual(enforced(object), enforced(wantObject)) {
				t.Fatalf("got %s %+v; client-go has %s %+v", kind, object, wantKind, wantObject)
			}
		}
	})
}
