package feed

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// keys keeps the APIKeys of a namespace in a ring as the API server says. Whatever a reflector
// reads is compiled and in the ring before it reads on, so that there is a
// position: all up to it has reached the ring.
type keys struct {
	namespace string // "" is all
	ring      *keyring.Ring
	source    toolscache.ListerWatcher
	moved     chan struct{} // may be that of others, too
	filled    atomic.Bool   // a list was in the ring

	position atomic.Pointer[string] // nil is unknown; written under mu

	mu      sync.Mutex // guards what follows
	current *reading   // nil between two
}

// newKeys returns keys that are read with a client of their own.
func newKeys(config *rest.Config, httpClient *http.Client, scheme *runtime.Scheme, namespace string, ring *keyring.Ring, moved chan struct{}) (*keys, error) {
	c, err := apiutil.RESTClientForGVK(v1alpha1.GroupVersion.WithKind("APIKey"), false, false, config, serializer.NewCodecFactory(scheme), httpClient)
	if err != nil {
		return nil, fmt.Errorf("making the client of APIKeys: %w", err)
	}
	source := consistent(toolscache.NewFilteredListWatchFromClient(c, "apikeys", namespace, func(*metav1.ListOptions) {}))
	source.WatchFuncWithContext = func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		return watchKeys(ctx, c, namespace, options)
	}
	return &keys{namespace: namespace, ring: ring, source: source, moved: moved}, nil
}

// run reads until the context ends.
func (k *keys) run(ctx context.Context) {
	for ctx.Err() == nil {
		r := k.begin(ctx)
		r.reflect()
		k.end(r)
	}
}

// begin starts to read anew. A reflector that has read before would list what is
// no older than that; a new one lists what is there now.
func (k *keys) begin(ctx context.Context) *reading {
	ctx, cancel := context.WithCancel(ctx)
	r := &reading{keys: k, ctx: ctx, cancel: cancel}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current = r
	return r
}

func (k *keys) end(r *reading) {
	r.cancel()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current == r {
		k.current = nil
	}
}

// relist ends what is being read, of which nothing counts any more.
func (k *keys) relist() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.position.Store(nil)
	if k.current != nil {
		k.current.cancel()
		k.current = nil
	}
}

// at returns the position.
func (k *keys) at() string {
	if p := k.position.Load(); p != nil {
		return *p
	}
	return ""
}

// reading is one list and the watch after it: a store for a reflector, which calls
// it from one goroutine only. It keeps no objects.
type reading struct {
	keys   *keys
	ctx    context.Context
	cancel context.CancelFunc
}

var (
	_ toolscache.TransformingStore      = &reading{}
	_ toolscache.ResourceVersionUpdater = &reading{}
)

// reflect reads until it is cancelled. After an outage a revocation shall not wait
// as long as client-go's half a minute.
func (r *reading) reflect() {
	toolscache.NewReflectorWithOptions(r.keys.source, &v1alpha1.APIKey{}, r, toolscache.ReflectorOptions{
		Name:    "apikeys",
		Backoff: &wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Cap: 4 * time.Second, Steps: 6, Jitter: 0.5},
	}).RunWithContext(r.ctx)
}

// Add implements toolscache.ReflectorStore.
func (r *reading) Add(o any) error {
	k, err := compiled(o)
	if err != nil {
		return err
	}
	r.keys.ring.SetKey(k)
	return nil
}

// Update implements toolscache.ReflectorStore.
func (r *reading) Update(o any) error { return r.Add(o) }

// Delete implements toolscache.ReflectorStore.
func (r *reading) Delete(o any) error {
	k, ok := o.(*v1alpha1.APIKey)
	if !ok {
		return notAPIKey(o)
	}
	r.keys.ring.DeleteKey(name(k))
	return nil
}

// Replace implements toolscache.ReflectorStore.
func (r *reading) Replace(list []any, resourceVersion string) error {
	names := make(map[keyring.Name]bool, len(list))
	for _, o := range list {
		k, err := compiled(o)
		if err != nil {
			return err
		}
		names[k.Name] = true
		r.keys.ring.SetKey(k)
	}
	r.keys.ring.KeepKeys(r.keys.namespace, names)
	r.keys.filled.Store(true)
	r.UpdateResourceVersion(resourceVersion)
	return nil
}

// Resync implements toolscache.ReflectorStore.
func (*reading) Resync() error { return nil }

// Transformer implements toolscache.TransformingStore: a list that is streamed is
// gathered before it comes to Replace, as compiled keys: they are smaller than APIKeys,
// and one is compiled while the next event is decoded.
func (*reading) Transformer() toolscache.TransformFunc {
	return func(o any) (any, error) { return compiled(o) }
}

// UpdateResourceVersion implements toolscache.ResourceVersionUpdater. The reflector
// calls it after each event, bookmarks too.
func (r *reading) UpdateResourceVersion(resourceVersion string) {
	r.keys.mu.Lock()
	defer r.keys.mu.Unlock()
	if r.keys.current != r {
		return // another list was asked for in between
	}
	r.keys.position.Store(&resourceVersion)
	select {
	case r.keys.moved <- struct{}{}:
	default: // is said already
	}
}

// compiled returns the key of an APIKey, or of what Transformer has made of one.
func compiled(o any) (*keyring.Key, error) {
	switch o := o.(type) {
	case *keyring.Key:
		return o, nil
	case *v1alpha1.APIKey:
		return compile.Key(o), nil
	default:
		return nil, notAPIKey(o)
	}
}

func notAPIKey(o any) error { return fmt.Errorf("a %T among APIKeys", o) }
