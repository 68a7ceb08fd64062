package apikey

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"k8s.io/client-go/discovery"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
)

// wantNoLeak demands that no raw key of this test is anywhere but in the data of
// Secrets: in no other object of its namespace, no event, log line or error.
func (w *world) wantNoLeak() {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.Context()), time.Minute)
	defer cancel()
	w.hear(nil)
	w.searchText("an event, error or log line", w.said.String())
	d, err := discovery.NewDiscoveryClientForConfig(devcluster.For(w.T).Config)
	w.must(err)
	lists, err := d.ServerPreferredNamespacedResources()
	w.must(err)
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		w.must(err)
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") {
				continue
			}
			w.searchKind(ctx, group.WithKind(resource.Kind))
		}
	}
}

func (w *world) searchKind(ctx context.Context, kind schema.GroupVersionKind) {
	w.Helper()
	objects := &unstructured.UnstructuredList{}
	objects.SetGroupVersionKind(kind)
	w.must(w.client.List(ctx, objects, client.InNamespace(w.namespace)))
	for _, o := range objects.Items {
		if kind.GroupKind() == corev1.SchemeGroupVersion.WithKind("Secret").GroupKind() {
			delete(o.Object, "data")
		}
		text, err := json.Marshal(o.Object)
		w.must(err)
		w.searchText(kind.Kind+" "+o.GetName(), string(text))
	}
}

// searchText looks for every raw key, also as it may be written in other ways.
func (w *world) searchText(where, text string) {
	w.Helper()
	for _, raw := range w.random.keys() {
		w.raws[raw] = true
	}
	for raw := range w.raws {
		if len(raw) < 22 {
			continue // somebody's edit, not a key
		}
		for _, form := range []string{
			raw, base64.StdEncoding.EncodeToString([]byte(raw)), hex.EncodeToString([]byte(raw)),
			url.QueryEscape(raw), raw[len(raw)-16:],
		} {
			if strings.Contains(text, form) {
				w.Errorf("%s holds a raw key: %s", where, text[:min(len(text), 2000)])
				break
			}
		}
	}
}

// ours are the Secrets with the label of an APIKey.
func (w *world) ours(k *v1alpha1.APIKey) []corev1.Secret {
	w.Helper()
	var list corev1.SecretList
	w.must(w.client.List(w.Context(), &list, client.InNamespace(w.namespace),
		client.MatchingLabels{v1alpha1.LabelAPIKeyUID: string(k.UID)}))
	return list.Items
}
