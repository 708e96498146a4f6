export function ensureBuilt(
  names: readonly ('page' | 'helper')[],
  options?: { say?: (sentence: string) => void; force?: boolean },
): Promise<boolean>
