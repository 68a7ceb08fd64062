package main

import (
	"errors"
	"io"
	"net/http"
	"sync"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes/scheme"
)

// leases keeps the Leases that auth servers report in, as the API server would:
// each write has a revision, and an update must know the last one.
type leases struct {
	store *store

	mu   sync.Mutex
	held map[string]*coordinationv1.Lease // by namespace/name
}

var leaseResource = coordinationv1.SchemeGroupVersion.WithResource("leases").GroupResource()

// maxLease bounds the body of a write.
const maxLease = 1 << 20

func (l *leases) register(mux *http.ServeMux) {
	const all = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
	for pattern, do := range map[string]func(*http.Request) (int, runtime.Object, *apierrors.StatusError){
		"POST " + all:               l.create,
		"GET " + all + "/{name}":    l.get,
		"PUT " + all + "/{name}":    l.update,
		"DELETE " + all + "/{name}": l.remove,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			l.mu.Lock()
			status, object, err := do(r)
			l.mu.Unlock()
			if err != nil {
				fail(w, err)
				return
			}
			answer(w, status, object)
		})
	}
}

// read reads the body of a write, JSON or protobuf.
func read(r *http.Request) (*coordinationv1.Lease, string, *apierrors.StatusError) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxLease))
	if err != nil {
		return nil, "", apierrors.NewBadRequest("the body: " + err.Error())
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		return nil, "", apierrors.NewBadRequest("the body: " + err.Error())
	}
	lease, ok := object.(*coordinationv1.Lease)
	if !ok {
		return nil, "", apierrors.NewBadRequest("the body: want a Lease")
	}
	lease.Namespace = r.PathValue("namespace")
	lease.TypeMeta = metav1.TypeMeta{APIVersion: coordinationv1.SchemeGroupVersion.String(), Kind: "Lease"}
	return lease, lease.Namespace + "/" + lease.Name, nil
}

func (l *leases) create(r *http.Request) (int, runtime.Object, *apierrors.StatusError) {
	lease, name, err := read(r)
	if err != nil {
		return 0, nil, err
	}
	if _, there := l.held[name]; there {
		return 0, nil, apierrors.NewAlreadyExists(leaseResource, lease.Name)
	}
	lease.UID, lease.CreationTimestamp = uuid.NewUUID(), metav1.Now()
	return http.StatusCreated, l.keep(name, lease), nil
}

func (l *leases) update(r *http.Request) (int, runtime.Object, *apierrors.StatusError) {
	lease, name, err := read(r)
	if err != nil {
		return 0, nil, err
	}
	before, there := l.held[name]
	switch {
	case !there:
		return 0, nil, apierrors.NewNotFound(leaseResource, lease.Name)
	case lease.ResourceVersion != "" && lease.ResourceVersion != before.ResourceVersion:
		return 0, nil, apierrors.NewConflict(leaseResource, lease.Name, errors.New("the Lease has been modified; apply your changes to the latest version"))
	}
	lease.UID, lease.CreationTimestamp = before.UID, before.CreationTimestamp
	return http.StatusOK, l.keep(name, lease), nil
}

func (l *leases) keep(name string, lease *coordinationv1.Lease) *coordinationv1.Lease {
	lease.ResourceVersion = revision(l.store.advance())
	l.held[name] = lease
	return lease
}

func (l *leases) get(r *http.Request) (int, runtime.Object, *apierrors.StatusError) {
	h, there := l.held[r.PathValue("namespace")+"/"+r.PathValue("name")]
	if !there {
		return 0, nil, apierrors.NewNotFound(leaseResource, r.PathValue("name"))
	}
	return http.StatusOK, h, nil
}

func (l *leases) remove(r *http.Request) (int, runtime.Object, *apierrors.StatusError) {
	name := r.PathValue("namespace") + "/" + r.PathValue("name")
	if _, there := l.held[name]; !there {
		return 0, nil, apierrors.NewNotFound(leaseResource, r.PathValue("name"))
	}
	delete(l.held, name)
	return http.StatusOK, &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess}, nil
}
