package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// collection is what can be listed and watched.
type collection struct {
	apiVersion, kind string
	length           int
	object           func(out []byte, i int) []byte // appends one
	changing         bool                           // as the store's log says
}

// fixed is a collection of objects that stay as they are.
func fixed(apiVersion, kind string, objects ...any) (collection, error) {
	texts := make([][]byte, len(objects))
	for i, o := range objects {
		var err error
		if texts[i], err = json.Marshal(o); err != nil {
			return collection{}, err
		}
	}
	object := func(out []byte, i int) []byte { return append(out, texts[i]...) }
	return collection{apiVersion: apiVersion, kind: kind, length: len(texts), object: object}, nil
}

// handler answers what an auth server asks the API server for, and /replay.
func handler(s *store) (http.Handler, error) {
	group := v1alpha1.GroupVersion.String()
	apis, err := fixed(group, "ProtectedAPI", protectedAPI())
	if err != nil {
		return nil, err
	}
	var names []any
	for i := range teams {
		names = append(names, namespace(teamName(i)))
	}
	namespaces, err := fixed("meta.k8s.io/v1", "PartialObjectMetadata", append(names, namespace(apiNamespace))...)
	if err != nil {
		return nil, err
	}
	keys := collection{apiVersion: group, kind: "APIKey", length: len(s.keys), object: s.appendKey, changing: true}
	mux := http.NewServeMux()
	discovery(mux)
	mux.HandleFunc("GET /apis/"+group+"/apikeys", s.collection(keys))
	mux.HandleFunc("GET /apis/"+group+"/protectedapis", s.collection(apis))
	mux.HandleFunc("GET /api/v1/namespaces", func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata") {
			fail(w, apierrors.NewGenericServerResponse(http.StatusNotAcceptable, "list", metav1.SchemeGroupVersion.WithResource("namespaces").GroupResource(), "", "only metadata are kept", 0, false))
			return
		}
		s.collection(namespaces)(w, r)
	})
	(&leases{store: s, held: map[string]*coordinationv1.Lease{}}).register(mux)
	mux.HandleFunc("POST /replay/churn", s.churn)
	mux.HandleFunc("GET /replay/state", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, state{Revision: s.now(), Sent: s.sent.Load()})
	})
	return mux, nil
}

// state is what /replay/state tells.
type state struct {
	Revision int   `json:"revision"`
	Sent     int64 `json:"sent"` // changes, to all watches together
}

func (s *store) churn(w http.ResponseWriter, r *http.Request) {
	rate, err := strconv.Atoi(r.URL.Query().Get("rate"))
	if err == nil {
		err = s.setRate(rate)
	}
	if err != nil {
		http.Error(w, "rate: "+err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func namespace(name string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: "c9d5d0a2-52c5-4d36-9f33-3f9f0e1a7b10", CreationTimestamp: created, ResourceVersion: revision(firstRevision - 1),
			Labels: map[string]string{"kubernetes.io/metadata.name": name},
		},
	}
}

// discovery is in the older form, which every client reads.
func discovery(mux *http.ServeMux) {
	serve := func(path string, v any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, v) })
	}
	group := func(name, version string) metav1.APIGroup {
		v := metav1.GroupVersionForDiscovery{GroupVersion: name + "/" + version, Version: version}
		return metav1.APIGroup{Name: name, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v}
	}
	resources := func(groupVersion string, r ...metav1.APIResource) {
		prefix := "/apis/"
		if groupVersion == "v1" {
			prefix = "/api/"
		}
		serve(prefix+groupVersion, metav1.APIResourceList{
			TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: groupVersion, APIResources: r,
		})
	}
	verbs := metav1.Verbs{"get", "list", "watch", "create", "update", "delete"}
	serve("/api", metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}})
	serve("/apis", metav1.APIGroupList{
		TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"},
		Groups:   []metav1.APIGroup{group(v1alpha1.GroupVersion.Group, v1alpha1.GroupVersion.Version), group("coordination.k8s.io", "v1")},
	})
	resources("v1", metav1.APIResource{Name: "namespaces", SingularName: "namespace", Kind: "Namespace", Verbs: verbs})
	resources("coordination.k8s.io/v1", metav1.APIResource{Name: "leases", SingularName: "lease", Namespaced: true, Kind: "Lease", Verbs: verbs})
	resources(v1alpha1.GroupVersion.String(),
		metav1.APIResource{Name: "apikeys", SingularName: "apikey", Namespaced: true, Kind: "APIKey", Verbs: verbs},
		metav1.APIResource{Name: "protectedapis", SingularName: "protectedapi", Namespaced: true, Kind: "ProtectedAPI", Verbs: verbs})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // whoever asked hung up
}

// fail answers with an error as the API server does.
func fail(w http.ResponseWriter, err apierrors.APIStatus) {
	status := err.Status()
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	answer(w, int(status.Code), status)
}

// endOf is when a watch ends, as it was asked for.
func endOf(r *http.Request) <-chan time.Time {
	seconds, err := strconv.Atoi(r.URL.Query().Get("timeoutSeconds"))
	if err != nil || seconds <= 0 {
		return nil
	}
	return time.After(time.Duration(seconds) * time.Second)
}
