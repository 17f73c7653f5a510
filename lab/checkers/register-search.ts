import type { CertainOperation, RegisterHistory, Value } from './register-history.ts';
import { ABSENT, JUNK, NONE } from './register-history.ts';

export type SearchResult = 'linearizable' | 'not-linearizable' | 'undecided';

/**
 * Where a search stands. All certain operations before `position` (in order of returns) have taken effect,
 * and of the later ones those in `done`; `used` are the possible operations that were made to happen.
 */
interface Point {
  readonly position: number;
  readonly state: Value;
  /** Positions of certain operations, ascending. */
  readonly done: readonly number[];
  /** Classes of possible operations, ascending, as often as used. */
  readonly used: readonly number[];
}

/**
 * Looks for one order of the operations of a register in which each takes effect between its call and its
 * return (Wing and Gong 1993; with memoisation, Lowe 2017). Depth first, by returns: the next operation to
 * return must take effect now, alone or after others that are under way ("just in time").
 *
 * What keeps it fast, each rule losing no order that matters:
 * - reads that fit the state, and refused compare-and-sets, take effect as soon as they can;
 * - a value that is set only once is not left while a read of it is outstanding;
 * - writes nobody asks about hide before another write;
 * - values that can no longer matter are all one;
 * - an operation of unknown outcome is used only to bring about a value that is needed, or to get away from
 *   one that is in the way; those alike are one class, and a point is not visited if it was with fewer used.
 *
 * Keeping account of which operations of unknown outcome were used makes many points of one. So the search
 * goes without it where it can: `hasty` takes points for the same whatever was used, so what it finds is an
 * order, but it may miss one; `generous` lets them be used again and again, so when even that finds none
 * there is none. Only between the two the `exact` one is needed.
 *
 * @param stepsMax - gives up, `undecided`, after visiting so many points in one of them.
 */
export function searchRegister(history: RegisterHistory, stepsMax: number): SearchResult {
  const hasty = run(new Search(history, 'hasty'), stepsMax);
  if (hasty === 'linearizable') return hasty;
  if (history.possible.length === 0) return hasty;
  const generous = run(new Search(history, 'generous'), stepsMax);
  if (generous === 'not-linearizable') return generous;
  return run(new Search(history, 'exact'), stepsMax);
}

type Account = 'hasty' | 'generous' | 'exact';

function run(search: Search, stepsMax: number): SearchResult {
  const stack: { readonly moves: readonly Move[]; readonly point: Point; next: number }[] = [];
  let steps = 0;
  let entering: Point | null = search.start();
  for (;;) {
    if (entering !== null) {
      if (search.isEnd(entering)) return 'linearizable';
      if (search.visit(entering)) {
        steps += 1;
        if (steps > stepsMax) return 'undecided';
        stack.push({ point: entering, moves: search.moves(entering), next: 0 });
      }
    }
    const top = stack.at(-1);
    if (!top) return 'not-linearizable';
    const move = top.moves[top.next];
    top.next += 1;
    entering = null;
    if (move) entering = search.after(top.point, move);
    else stack.pop();
  }
}

/** A certain operation, by position, or a possible one, by class. */
type Move = { readonly certain: number } | { readonly possible: number };

class Search {
  readonly #history: RegisterHistory;
  /** Classes of possible operations by the value they set. */
  readonly #settersOf = new Map<Value, number[]>();
  readonly #visited = new Map<string, (readonly number[])[]>();

  readonly #account: Account;

  constructor(history: RegisterHistory, account: Account) {
    this.#history = history;
    this.#account = account;
    history.possible.forEach(({ sets }, id) => {
      const there = this.#settersOf.get(sets);
      if (there) there.push(id);
      else this.#settersOf.set(sets, [id]);
    });
  }

  start(): Point {
    return this.#settle({ position: 0, state: ABSENT, done: [], used: [] });
  }

  isEnd({ position }: Point): boolean {
    return position === this.#history.certain.length;
  }

  /** False when this point, or a better one, was entered before. */
  visit({ position, state, done, used }: Point): boolean {
    const key = `${position} ${state} ${done.join(' ')}`;
    const before = this.#visited.get(key);
    if (!before) {
      this.#visited.set(key, [used]);
      return true;
    }
    if (this.#account !== 'exact' || before.some((fewer) => includesAll(used, fewer))) return false;
    before.push(used);
    return true;
  }

  /** What may happen next at a settled point, the likeliest first. */
  moves(point: Point): Move[] {
    const { certain, open } = this.#history;
    const { position, state, done } = point;
    const next = certain[position];
    if (!next) return [];
    const others: number[] = [];
    const needed = new Set<Value>();
    for (const at of open[position] ?? []) {
      const operation = certain[at];
      if (!operation || done.includes(at)) continue;
      if (operation.kind === 'read' || operation.kind === 'swap') needed.add(operation.needs);
      if (canChange(operation, state) && !this.#strands(point, operation.sets, at)) others.push(at);
    }
    const wanted = next.kind === 'write' ? NONE : next.needs;
    const rank = (at: number): number => (at === position ? 0 : certain[at]?.sets === wanted ? 1 : 2);
    others.sort((a, b) => rank(a) - rank(b) || a - b);
    const moves: Move[] = others.map((at) => ({ certain: at }));
    const possible = this.#usefulPossible(point, needed, next);
    const first = others[0];
    const direct = first !== undefined && rank(first) < 2 ? 1 : 0;
    moves.splice(direct, 0, ...possible.map((id) => ({ possible: id })));
    return moves;
  }

  after(point: Point, move: Move): Point {
    const { certain, possible } = this.#history;
    let { done, used } = point;
    let state = point.state;
    let overwrites = false;
    if ('certain' in move) {
      const operation = certain[move.certain];
      state = operation?.sets ?? state;
      overwrites = operation?.kind === 'write';
      done = [...done, move.certain];
    } else {
      const alike = possible[move.possible];
      state = alike?.sets ?? state;
      overwrites = alike?.needs === NONE;
      if (this.#account !== 'generous') used = [...used, move.possible].sort((a, b) => a - b);
    }
    if (overwrites) {
      const hidden = (this.#history.open[point.position] ?? []).filter(
        (at) => certain[at]?.hideable && !done.includes(at),
      );
      done = [...done, ...hidden];
    }
    done = [...done].sort((a, b) => a - b);
    return this.#settle({ position: point.position, state, done, used });
  }

  /** Lets everything happen that costs nothing, and passes the returns of what has happened. */
  #settle(point: Point): Point {
    const { certain, open } = this.#history;
    let { position, state, done } = point;
    const { used } = point;
    for (;;) {
      if (this.#isOver(state, position)) state = JUNK;
      const fitting = (open[position] ?? []).filter((at) => {
        const operation = certain[at];
        return operation && fits(operation, state) && !done.includes(at);
      });
      if (fitting.length > 0) done = [...done, ...fitting].sort((a, b) => a - b);
      const before = position;
      while (done[0] === position) {
        done = done.slice(1);
        position += 1;
      }
      if (position === before) return { position, state, done, used };
    }
  }

  /**
   * Classes that can bring about, at once or in a chain of swaps, a value that an operation under way needs,
   * and ways out of a value that is in the way.
   *
   * No other need be tried first. Of the orders of all that is left, take one with the fewest possible
   * operations, and of those one where they come as late as they can. It may begin with a certain operation,
   * which is tried anyway; else let P, from v to x, be its first. All it has up to `next` is under way
   * together, so that real time lets it change places. What comes right after P?
   * - No write, for P could be left out; and nothing that fits v, for it could come before P.
   * - A read or swap that needs x: P is tried. If it is a possible swap, what was said of P holds for it too,
   *   except that what fits v moves before P. So a chain ends at a value that is needed. It does not end at
   *   v: a read or refused compare-and-set after it could come before P, and a swap of v had its value.
   * - Refused compare-and-sets that expect v, so that P is their way out. If `next` is one of them, P is
   *   tried. Else let w come after the last of them. If w needs x, or is a possible write of v, all is as
   *   above. A write of another value lets them come after itself, and P is for nothing. There remains a
   *   certain write of v: after it they would still have v in their way, so P is tried then as well. It takes
   *   a value that is written twice.
   */
  #usefulPossible(point: Point, needed: Set<Value>, next: CertainOperation): number[] {
    const useful: number[] = [];
    const consider = (id: number): Value => {
      const alike = this.#history.possible[id];
      if (!alike || !this.#available(point, id, next) || alike.sets === point.state) return NONE;
      if (alike.needs !== NONE && alike.needs !== point.state) return alike.needs;
      if (!this.#strands(point, alike.sets, -1) && !useful.includes(id)) useful.push(id);
      return NONE;
    };
    // A set is iterated in order of insertion, also over what is added meanwhile.
    for (const value of needed) {
      for (const id of this.#settersOf.get(value) ?? []) {
        const before = consider(id);
        if (before !== NONE) needed.add(before);
      }
    }
    if (this.#mayHaveToLeave(point, next)) {
      for (const id of this.#waysOut(point, next)) consider(id);
    }
    return useful;
  }

  /** Whether a way out may be needed now: the last case of what `#usefulPossible` argues. */
  #mayHaveToLeave({ position, state, done }: Point, next: CertainOperation): boolean {
    if (next.kind === 'refused') return true;
    const { certain, open } = this.#history;
    let isInTheWay = false;
    let isSetAgain = false;
    for (const at of open[position] ?? []) {
      const operation = certain[at];
      if (!operation || done.includes(at)) continue;
      if (operation.kind === 'refused' && operation.needs === state) isInTheWay = true;
      if (operation.kind === 'write' && operation.sets === state) isSetAgain = true;
    }
    return isInTheWay && isSetAgain;
  }

  /**
   * What can change the state, whatever to. Of those that lead to a value that can no longer matter one is
   * as good as another, and one that is possible only now is the best to spend.
   */
  #waysOut(point: Point, next: CertainOperation): number[] {
    const ways: number[] = [];
    let spent: number | null = null;
    this.#history.possible.forEach(({ needs, sets }, id) => {
      if (needs !== NONE && needs !== point.state) return;
      if (!this.#available(point, id, next)) return;
      if (!this.#isOver(sets, point.position)) ways.push(id);
      else if (spent === null || (needs !== NONE && this.#history.possible[spent]?.needs === NONE))
        spent = id;
    });
    return spent === null ? ways : [spent, ...ways];
  }

  #isOver(value: Value, position: number): boolean {
    return (this.#history.lastUse.get(value) ?? -1) < position;
  }

  #available({ used }: Point, id: number, next: CertainOperation): boolean {
    let times = 0;
    for (const other of used) if (other === id) times += 1;
    const called = this.#history.possible[id]?.calls[times];
    return called !== undefined && called < next.returned;
  }

  /** Whether leaving the present state strands an operation that needs it: it will not come again. */
  #strands({ position, state, done }: Point, sets: Value, mover: number): boolean {
    const { setOnce, users } = this.#history;
    if (sets === state || !setOnce.has(state)) return false;
    const there = users.get(state) ?? [];
    for (let at = there.length - 1; at >= 0; at -= 1) {
      const user = there[at] ?? -1;
      if (user < position) return false;
      if (user !== mover && !done.includes(user)) return true;
    }
    return false;
  }
}

/** Takes effect in this state without changing it. */
function fits({ kind, needs }: CertainOperation, state: Value): boolean {
  return (kind === 'read' && needs === state) || (kind === 'refused' && needs !== state);
}

/** Takes effect in this state and sets another. */
function canChange({ kind, needs }: CertainOperation, state: Value): boolean {
  return kind === 'write' || (kind === 'swap' && needs === state);
}

/** Both ascending, with repetitions. */
function includesAll(all: readonly number[], some: readonly number[]): boolean {
  if (some.length > all.length) return false;
  let at = 0;
  for (const wanted of some) {
    while ((all[at] ?? Number.POSITIVE_INFINITY) < wanted) at += 1;
    if (all[at] !== wanted) return false;
    at += 1;
  }
  return true;
}
