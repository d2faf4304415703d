// Package replay runs what happened through the engine once more, with another
// configuration or another estate, and says what would have been different.
//
// Nobody dares to change a rule or a weight whose effect shows only in the next
// bad night. The engine is told the time and decides by its input alone, so
// last month is an experiment that can be repeated: [Run] feeds it what a
// [Source] tells, as fast as the machine can, and keeps of what it decides the
// [Outcome]: which alert went into which incident, who would have been paged
// and what was taken for the cause. With the configuration that was live, the
// outcome is what was live, incident IDs included.
//
// Sources read ahead in a goroutine of their own; the engine has one, that of
// the caller of Run. Inputs may be out of order within a window; what comes
// later than that is counted and decided at the time the replay has reached.
// Memory holds the engine, the window, and a few words for each alert and
// incident. The outcome is the same to the byte for the same input.
package replay
