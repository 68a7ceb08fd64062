package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	kjson "sigs.k8s.io/json"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// watchKeys returns what client-go's watch of APIKeys would, decoded in two passes
// over each event, not nine, and without what nobody here reads: that is most of what an auth
// server does when it starts.
func watchKeys(ctx context.Context, c rest.Interface, namespace string, options metav1.ListOptions) (watch.Interface, error) {
	options.Watch = true
	body, err := c.Get().Namespace(namespace).Resource("apikeys").VersionedParams(&options, metav1.ParameterCodec).
		SetHeader("Accept", runtime.ContentTypeJSON).Stream(ctx)
	if err != nil {
		return nil, err
	}
	reporter := apierrors.NewClientErrorReporter(http.StatusInternalServerError, http.MethodGet, "ClientWatchDecoding")
	return watch.NewStreamWatcher(newEvents(body), reporter), nil
}

// events are those of a watch of APIKeys, in JSON.
type events struct {
	body io.Closer
	in   kjson.Decoder // as the API machinery reads JSON
}

var _ watch.Decoder = &events{}

func newEvents(body io.ReadCloser) *events {
	return &events{body: body, in: kjson.NewDecoderCaseSensitivePreserveInts(body)}
}

// Close implements watch.Decoder.
func (e *events) Close() { _ = e.body.Close() } // nothing was written to it

// Decode implements watch.Decoder. At the end of the stream it returns io.EOF, or
// io.ErrUnexpectedEOF within an event.
func (e *events) Decode() (watch.EventType, runtime.Object, error) {
	if err := e.delim('{'); err != nil {
		return "", nil, err // io.EOF is the end
	}
	kind, object, err := e.fields()
	if err == nil {
		err = e.delim('}')
	}
	switch {
	case errors.Is(err, io.EOF):
		return "", nil, io.ErrUnexpectedEOF
	case err != nil:
		return "", nil, err
	case object == nil:
		return "", nil, errors.New("a watch event without an object")
	}
	switch kind { // which may have been there again, after the object
	case watch.Added, watch.Modified, watch.Deleted, watch.Bookmark, watch.Error:
		return kind, object, nil
	default:
		return "", nil, fmt.Errorf("a watch event of the unknown type %q", kind)
	}
}

// fields reads an event's fields. API servers write the type first; what else is in
// an event is nothing of ours.
func (e *events) fields() (kind watch.EventType, object runtime.Object, err error) {
	for err == nil && e.in.More() {
		var name json.Token
		if name, err = e.in.Token(); err != nil {
			break
		}
		switch name {
		case "type":
			err = e.in.Decode(&kind)
		case "object":
			object, err = e.object(kind)
		default:
			err = e.in.Decode(new(json.RawMessage))
		}
	}
	return kind, object, err
}

func (e *events) object(kind watch.EventType) (runtime.Object, error) {
	switch kind {
	case watch.Added, watch.Modified, watch.Deleted, watch.Bookmark:
		var k wireKey
		if err := e.in.Decode(&k); err != nil {
			return nil, err
		}
		if k.Kind != "APIKey" || k.APIVersion != v1alpha1.GroupVersion.String() {
			return nil, fmt.Errorf("a %s of %s among APIKeys", k.Kind, k.APIVersion)
		}
		return k.apiKey(), nil
	case watch.Error:
		status := &metav1.Status{}
		if err := e.in.Decode(status); err != nil {
			return nil, err
		}
		if status.Kind != "Status" || status.APIVersion != metav1.Unversioned.String() {
			return nil, fmt.Errorf("a %s of %s, want a Status", status.Kind, status.APIVersion)
		}
		status.TypeMeta = metav1.TypeMeta{} // as client-go
		return status, nil
	default:
		return nil, fmt.Errorf("a watch event with type %q before its object", kind)
	}
}

func (e *events) delim(want json.Delim) error {
	got, err := e.in.Token()
	if err == nil && got != want {
		err = fmt.Errorf("the watch has %v, want %v", got, want)
	}
	return err
}

// wireKey is what is read of an APIKey: all that compile.Key and reflectors do.
// Managed fields and conditions, which are more than half of the bytes, are skipped.
type wireKey struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        struct {
		Name              string            `json:"name"`
		Namespace         string            `json:"namespace"`
		UID               types.UID         `json:"uid"`
		ResourceVersion   string            `json:"resourceVersion"`
		CreationTimestamp metav1.Time       `json:"creationTimestamp"`
		DeletionTimestamp *metav1.Time      `json:"deletionTimestamp"`
		Annotations       map[string]string `json:"annotations"` // of bookmarks
	} `json:"metadata"`
	Spec   v1alpha1.APIKeySpec `json:"spec"`
	Status struct {
		Effective *v1alpha1.EffectiveDefaults `json:"effective"`
		Keys      []v1alpha1.KeyVersion       `json:"keys"`
	} `json:"status"`
}

func (k *wireKey) apiKey() *v1alpha1.APIKey {
	m := &k.Metadata
	return &v1alpha1.APIKey{
		ObjectMeta: metav1.ObjectMeta{
			Name: m.Name, Namespace: m.Namespace, UID: m.UID, ResourceVersion: m.ResourceVersion,
			CreationTimestamp: m.CreationTimestamp, DeletionTimestamp: m.DeletionTimestamp, Annotations: m.Annotations,
		},
		Spec:   k.Spec,
		Status: v1alpha1.APIKeyStatus{Effective: k.Status.Effective, Keys: k.Status.Keys},
	}
}
