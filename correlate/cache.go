package correlate

// cache keeps what was computed for CIs. It holds up to most units of weight, and
// as much again that was kept before: what is asked for often stays.
type cache[V any] struct {
	fresh, stale map[int32]V
	weight, most int
}

func newCache[V any](most int) cache[V] { return cache[V]{fresh: map[int32]V{}, most: most} }

func (c *cache[V]) get(ci int32) (V, bool) {
	v, ok := c.fresh[ci]
	if !ok {
		v, ok = c.stale[ci]
	}
	return v, ok
}

// put keeps a value of a weight, and returns it.
func (c *cache[V]) put(ci int32, v V, weight int) V {
	if c.weight += weight; c.weight > c.most {
		c.fresh, c.stale = map[int32]V{}, c.fresh
		c.weight = weight
	}
	c.fresh[ci] = v
	return v
}
