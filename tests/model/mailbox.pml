/* SPDX-License-Identifier: Apache-2.0
 *
 * The mailbox and its sleep protocol (core/mailbox.c) as a model for spin: every interleaving of
 * PRODUCERS producers with ITEMS items each and one consumer, over CELLS cells, on a machine whose
 * cores keep stores in a buffer of their own before others see them (x86-TSO). Each load, store and
 * locked operation of the C code is one step here, in its order and under its name:
 *
 *     STORE      a relaxed or release store: it may stay in the buffer
 *     STORE_SC   a seq_cst store: the buffer is emptied, then it is written
 *     LOCKED     compare-exchange and exchange: the buffer is emptied, then done at once
 *
 * What is shown:
 *     no lost wake-up   nobody can move any more -> the consumer has taken every item
 *     no loss, no duplicate, first in first out of each producer: asserted at each pop
 *     bounded           never more items than cells; a refusal is told and counted
 *     one wake a sleep  who claims a wake claims an announcement that nobody has claimed yet
 *     no spinning       a consumer that finds nothing goes to sleep (non-progress cycles)
 *
 * The consumer may also wake by itself (a timer, a socket) or go round without sleeping, IDLE times
 * in all. MUTANT=1.. breaks one rule each; run.sh expects every one of them to be found.
 */
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef ITEMS
#define ITEMS 2
#endif
#ifndef CELLS
#define CELLS 2
#endif
#ifndef IDLE
#define IDLE 1
#endif
#ifndef MUTANT
#define MUTANT 0
#endif

#define NO_RECHECK       1 /* sleeps without a second look */
#define RECHECK_FIRST    2 /* the second look comes before the flag */
#define WEAK_PUBLISH     3 /* the publication may overtake the look at the flag */
#define WEAK_FLAG        4 /* the flag may overtake the second look */
#define WAKE_ALL         5 /* who sees the flag wakes, without claiming it */
#define PUBLISH_EARLY    6 /* the cell is published before it is written */
#define CLAIM_UNLOCKED   7 /* the tail is read and written in two steps */
#define FREE_EARLY       8 /* the cell is given back before it is read */
#define NEVER_FULL       9 /* a cell still in use is taken for the next lap */
#define WAKE_BEFORE      10 /* the flag is looked at before the publication */
#define RECHECK_TAIL     11 /* the second look is at the tail: spins while a producer is stalled */

/* ---- memory: one store buffer a process ------------------------------------------------------ */

#define BUFFER   3
#define CONSUMER PRODUCERS
#define SLEEPING 0
#define SEQUENCE(position) (1 + (position) % CELLS)
#define PAYLOAD(position)  (1 + CELLS + (position) % CELLS)

byte memory[1 + 2 * CELLS];
byte tail; /* only ever touched by LOCKED operations and loads, so it needs no buffer */
byte buffered[PRODUCERS + 1];
byte buffer_address[(PRODUCERS + 1) * BUFFER];
byte buffer_value[(PRODUCERS + 1) * BUFFER];

/* The newest of one's own stores, else what is in memory. */
inline LOAD(out, self, address) {
    d_step {
        out = memory[address];
        scan = 0;
        do
        :: scan < buffered[self] ->
            if
            :: buffer_address[self * BUFFER + scan] == address ->
                out = buffer_value[self * BUFFER + scan]
            :: else
            fi;
            scan++
        :: else -> break
        od;
        scan = 0
    }
}

inline STORE(self, address, value) {
    d_step {
        buffered[self] < BUFFER ->
        buffer_address[self * BUFFER + buffered[self]] = address;
        buffer_value[self * BUFFER + buffered[self]] = value;
        buffered[self]++
    }
}

inline STORE_SC(self, address, value) {
    d_step {
        buffered[self] == 0 ->
        memory[address] = value
    }
}

/* Writes the oldest buffered store of `self` to memory. */
inline DRAIN_ONE(self) {
    d_step {
        buffered[self] > 0 ->
        memory[buffer_address[self * BUFFER]] = buffer_value[self * BUFFER];
        shift = 1;
        do
        :: shift < buffered[self] ->
            buffer_address[self * BUFFER + shift - 1] = buffer_address[self * BUFFER + shift];
            buffer_value[self * BUFFER + shift - 1] = buffer_value[self * BUFFER + shift];
            shift++
        :: else -> break
        od;
        shift = 0;
        buffered[self]--;
        buffer_address[self * BUFFER + buffered[self]] = 0;
        buffer_value[self * BUFFER + buffered[self]] = 0
    }
}

/* The cores: any buffered store may reach memory at any time, each buffer in its order. */
active proctype cores() {
    byte shift;
end:
    do
    :: DRAIN_ONE(0)
#if PRODUCERS > 1
    :: DRAIN_ONE(1)
#endif
#if PRODUCERS > 2
    :: DRAIN_ONE(2)
#endif
    :: DRAIN_ONE(CONSUMER)
    od
}

/* ---- what is counted to be checked ----------------------------------------------------------- */

byte accepted;
byte received;
byte head;  /* the consumer's position */
byte freed; /* cells given back, or about to be */
byte counted;
byte refused;
bit owed; /* a wake: sleep was announced and nobody has claimed it yet */
bit eventfd;
byte last[PRODUCERS]; /* number of the last item taken from each, from 1 */

/* ---- wring__mailbox_push and the wake after it ------------------------------------------------ */

inline wake_claim(self) {
    LOAD(seen, self, SLEEPING);
    if
    :: seen != 0 ->
        d_step { /* LOCKED: exchange */
            buffered[self] == 0 ->
#if MUTANT != WAKE_ALL
            seen = memory[SLEEPING];
            memory[SLEEPING] = 0;
#endif
            if
            :: seen != 0 ->
                assert(owed);
                owed = 0;
                must_wake = 1
            :: else
            fi
        }
    :: else
    fi
}

proctype producer(byte self) {
    byte item = 1;
    byte position;
    byte sequence;
    byte seen;
    byte scan;
    bit must_wake;
    do
    :: item > ITEMS -> break
    :: else ->
        must_wake = 0;
        position = tail;
claim:
        LOAD(sequence, self, SEQUENCE(position));
        if
#if MUTANT == NEVER_FULL
        :: sequence <= position ->
#else
        :: sequence < position ->
            d_step { counted++; refused++ }; /* the answer is an error, the item stays the caller's */
            goto next
        :: sequence == position ->
#endif
#if MUTANT == CLAIM_UNLOCKED
            seen = tail;
            if
            :: seen == position -> tail = position + 1
            :: else -> position = tail; goto claim
            fi
#else
            d_step { /* LOCKED: compare-exchange */
                buffered[self] == 0 ->
                seen = tail;
                if
                :: seen == position -> tail = position + 1
                :: else
                fi
            };
            if
            :: seen == position
            :: else -> position = seen; goto claim
            fi
#endif
        :: sequence > position ->
            position = tail;
            goto claim
        fi;
        d_step {
            accepted++;
            assert(position + 1 - freed <= CELLS)
        };
#if MUTANT == WAKE_BEFORE
        wake_claim(self);
#endif
#if MUTANT == PUBLISH_EARLY
        STORE_SC(self, SEQUENCE(position), position + 1);
        STORE(self, PAYLOAD(position), self * ITEMS + item);
#elif MUTANT == WEAK_PUBLISH
        STORE(self, PAYLOAD(position), self * ITEMS + item);
        STORE(self, SEQUENCE(position), position + 1);
#else
        STORE(self, PAYLOAD(position), self * ITEMS + item);
        STORE_SC(self, SEQUENCE(position), position + 1);
#endif
#if MUTANT != WAKE_BEFORE
        wake_claim(self);
#endif
        if
        :: must_wake -> eventfd = 1
        :: else
        fi;
next:
        item++
    od
}

/* ---- wring__mailbox_pop, _prepare_sleep, _awake: the turns of a worker ------------------------ */

proctype consumer() {
    byte sequence;
    byte value;
    byte scan;
    byte idle;
    do
    ::
        LOAD(sequence, CONSUMER, SEQUENCE(head));
        if
        :: sequence == head + 1 ->
            freed++;
#if MUTANT == FREE_EARLY
            STORE(CONSUMER, SEQUENCE(head), head + CELLS);
            LOAD(value, CONSUMER, PAYLOAD(head));
#else
            LOAD(value, CONSUMER, PAYLOAD(head));
            STORE(CONSUMER, SEQUENCE(head), head + CELLS);
#endif
progress_taken:
            d_step {
                assert(value >= 1 && value <= PRODUCERS * ITEMS);
                assert((value - 1) % ITEMS + 1 > last[(value - 1) / ITEMS]);
                last[(value - 1) / ITEMS] = (value - 1) % ITEMS + 1;
                received++;
                head++
            }
        :: else ->
            if
            :: idle < IDLE -> idle++ /* other work is at hand: the turn does not sleep */
            :: true ->
#if MUTANT == RECHECK_FIRST
                LOAD(sequence, CONSUMER, SEQUENCE(head));
#endif
#if MUTANT == WEAK_FLAG
                STORE(CONSUMER, SLEEPING, 1);
                owed = 1;
#else
                d_step {
                    buffered[CONSUMER] == 0 -> /* STORE_SC */
                    memory[SLEEPING] = 1;
                    owed = 1
                };
#endif
#if MUTANT == NO_RECHECK
                sequence = 0;
#elif MUTANT == RECHECK_TAIL
                sequence = (tail == head -> 0 : head + 1);
#elif MUTANT != RECHECK_FIRST
                LOAD(sequence, CONSUMER, SEQUENCE(head));
#endif
                if
                :: sequence == head + 1 ->
                    STORE(CONSUMER, SLEEPING, 0)
                :: else ->
end_asleep:
                    if
                    :: eventfd == 1 ->
progress_woken:
                        eventfd = 0
                    :: idle < IDLE -> idle++ /* a timer or a socket */
                    fi;
                    LOAD(sequence, CONSUMER, SLEEPING);
                    if
                    :: sequence != 0 -> STORE(CONSUMER, SLEEPING, 0)
                    :: else
                    fi
                fi
            fi
        fi;
        sequence = 0
    od
}

/* ---- start and end --------------------------------------------------------------------------- */

init {
    atomic {
        byte i = 0;
        do
        :: i < CELLS -> memory[SEQUENCE(i)] = i; i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < PRODUCERS -> run producer(i); i++
        :: else -> break
        od;
        run consumer()
    };
    /* Nobody can move: the producers are through and the consumer sleeps. */
    timeout ->
    assert(received == accepted);
    assert(accepted + refused == PRODUCERS * ITEMS && counted == refused);
    assert(tail == head)
}
