package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// Feed keeps a keyring as the watches say.
type Feed struct {
	ring    *keyring.Ring
	keys    []*keys // of all namespaces, or one for each that is watched
	watched compile.Watched
	moved   chan struct{}
	cache   cache.Cache
	synced  atomic.Bool

	mu         sync.Mutex // guards what follows: the handlers run concurrently
	sources    []toolscache.InformerSynced
	namespaces compile.Namespaces
	selecting  map[keyring.Name]*v1alpha1.ProtectedAPI // APIs that select namespaces by label
}

// New returns a Feed that watches with a connection of its own: the namespaces that
// are named, each once, or, if none is, all of the cluster. An empty name is an error.
func New(config *rest.Config, scheme *runtime.Scheme, ring *keyring.Ring, namespaces ...string) (*Feed, error) {
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("making the client: %w", err)
	}
	options := cache.Options{
		HTTPClient:       httpClient,
		Scheme:           scheme,
		Mapper:           mapper(),
		DefaultTransform: cache.TransformStripManagedFields(),
		NewInformer:      newInformer,
	}
	f := &Feed{
		ring:       ring,
		watched:    namespaces,
		moved:      make(chan struct{}, 1),
		namespaces: compile.Namespaces{},
		selecting:  map[keyring.Name]*v1alpha1.ProtectedAPI{},
	}
	read := []string{metav1.NamespaceAll}
	if slices.Contains(namespaces, metav1.NamespaceAll) {
		return nil, errors.New("the namespaces to watch: one has no name; name each, or none for all")
	}
	if len(namespaces) > 0 {
		read, options.DefaultNamespaces = namespaces, map[string]cache.Config{}
	}
	for _, namespace := range read {
		k, err := newKeys(config, httpClient, scheme, namespace, ring, f.moved)
		if err != nil {
			return nil, err
		}
		f.keys = append(f.keys, k)
		if namespace != metav1.NamespaceAll {
			options.DefaultNamespaces[namespace] = cache.Config{}
		}
	}
	if f.cache, err = cache.New(config, options); err != nil {
		return nil, fmt.Errorf("making the cache: %w", err)
	}
	return f, nil
}

// mapper knows the kinds that have informers, so that nothing need be discovered.
func mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	m.Add(v1alpha1.GroupVersion.WithKind("ProtectedAPI"), meta.RESTScopeNamespace)
	m.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	return m
}

// informed is a kind that has an informer.
type informed struct {
	object  client.Object
	handler toolscache.ResourceEventHandler
}

// kinds are those that have informers.
func (f *Feed) kinds() []informed {
	apis := informed{&v1alpha1.ProtectedAPI{}, handler(f.setAPI, f.deleteAPI)}
	if len(f.watched) > 0 {
		return []informed{apis}
	}
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return []informed{{namespace, handler(f.setNamespace, f.deleteNamespace)}, apis}
}

// Start watches until the context ends.
func (f *Feed) Start(ctx context.Context) error {
	for _, w := range f.kinds() {
		informer, err := f.cache.GetInformer(ctx, w.object, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watching %T: %w", w.object, err)
		}
		registration, err := informer.AddEventHandler(w.handler)
		if err != nil {
			return fmt.Errorf("watching %T: %w", w.object, err)
		}
		f.mu.Lock()
		f.sources = append(f.sources, registration.HasSynced)
		f.mu.Unlock()
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.cache.Start(ctx) })
	for _, k := range f.keys {
		group.Go(func() error { k.run(ctx); return nil })
	}
	return group.Wait()
}

// Position is the resourceVersion up to which every change of an APIKey has reached
// the keyring, "" as long as that can't be said. Of several namespaces it is the
// least.
func (f *Feed) Position() string {
	least := f.keys[0].at()
	for _, k := range f.keys[1:] {
		at := k.at()
		if c, err := resourceversion.CompareResourceVersion(at, least); err != nil {
			return "" // one of the two isn't known
		} else if c < 0 {
			least = at
		}
	}
	return least
}

// Positions are those of each namespace, nil of a feed that watches all at once.
func (f *Feed) Positions() map[string]string {
	if len(f.watched) == 0 {
		return nil
	}
	positions := make(map[string]string, len(f.keys))
	for _, k := range f.keys {
		positions[k.namespace] = k.at()
	}
	return positions
}

// Moved has a value when a position has moved since one was taken out.
func (f *Feed) Moved() <-chan struct{} { return f.moved }

// Relist lists all APIKeys anew. From its return on there is no position until a
// list is in that was asked for later; the keyring serves what it has meanwhile.
func (f *Feed) Relist() {
	for _, k := range f.keys {
		k.relist()
	}
}

// HasSynced reports whether everything that existed when the watches began has
// reached the keyring.
func (f *Feed) HasSynced() bool {
	if f.synced.Load() {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, synced := range f.sources {
		if !synced() {
			return false
		}
	}
	for _, k := range f.keys {
		if !k.filled.Load() {
			return false
		}
	}
	f.synced.Store(len(f.sources) == len(f.kinds()))
	return f.synced.Load()
}

// selectable are the namespaces that selectors choose from.
func (f *Feed) selectable() compile.Selectable {
	if len(f.watched) > 0 {
		return f.watched
	}
	return f.namespaces
}

// handler calls set for objects that are there and unset for those that went.
func handler[T client.Object](set, unset func(T)) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) {
			if o, ok := o.(T); ok {
				set(o)
			}
		},
		UpdateFunc: func(_, o any) {
			if o, ok := o.(T); ok {
				set(o)
			}
		},
		DeleteFunc: func(o any) {
			if gone, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = gone.Obj
			}
			if o, ok := o.(T); ok {
				unset(o)
			}
		},
	}
}

// setAPI serves a ProtectedAPI. One that can't be used any more since an edit
// keeps being served as it was before, but for one of which it can't be told any more
// whose keys it admits: as before it might admit those that the edit meant to keep out.
func (f *Feed) setAPI(p *v1alpha1.ProtectedAPI) {
	f.mu.Lock()
	defer f.mu.Unlock()
	api := compile.API(p, f.selectable())
	unusable := api.Err != nil && !errors.Is(api.Err, compile.ErrLabelsUnknown)
	if before, ok := f.ring.API(api.Name); ok && unusable && before.Err == nil && before.UID == api.UID {
		return
	}
	if n := p.Spec.AllowedNamespaces; n != nil && n.From == v1alpha1.NamespacesSelector {
		f.selecting[api.Name] = p
	} else {
		delete(f.selecting, api.Name)
	}
	f.ring.SetAPI(api)
}

func (f *Feed) deleteAPI(p *v1alpha1.ProtectedAPI) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.selecting, name(p))
	f.ring.DeleteAPI(name(p))
}

func (f *Feed) setNamespace(n *metav1.PartialObjectMetadata) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old, ok := f.namespaces[n.Name]; ok && labels.Equals(old, n.Labels) {
		return
	}
	f.namespaces[n.Name] = labels.Set(n.Labels)
	f.recompile()
}

func (f *Feed) deleteNamespace(n *metav1.PartialObjectMetadata) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.namespaces, n.Name)
	f.recompile()
}

func (f *Feed) recompile() {
	for _, p := range f.selecting {
		f.ring.SetAPI(compile.API(p, f.selectable()))
	}
}

func name(o client.Object) keyring.Name {
	return keyring.Name{Namespace: o.GetNamespace(), Name: o.GetName()}
}

// newInformer is client-go's, with a consistent first list.
func newInformer(lw toolscache.ListerWatcher, o runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	return toolscache.NewSharedIndexInformer(consistent(lw), o, resync, indexers)
}

// consistent makes sure that lists are. Where the API server can't stream the
// first one (KEP-3157), client-go would ask for resourceVersion "0", which may be
// served from a cache that is behind: a revoked key would work again.
func consistent(lw toolscache.ListerWatcher) *toolscache.ListWatch {
	inner := toolscache.ToListerWatcherWithContext(lw)
	return &toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			if options.ResourceVersion == "0" {
				options.ResourceVersion, options.ResourceVersionMatch = "", ""
			}
			return inner.ListWithContext(ctx, options)
		},
		WatchFuncWithContext: inner.WatchWithContext,
	}
}
