import { useRef } from "react";

/* oxlint-disable react/refs -- it only saves work: after a render that React throws away the list is made once more */

/** The same array as before while its entries are the same, so that what depends on it is not made anew. */
export function useStableList<T>(list: readonly T[]): readonly T[] {
  const last = useRef(list);
  const before = last.current;
  if (before.length !== list.length || before.some((each, index) => each !== list[index]))
    last.current = list;
  return last.current;
}
