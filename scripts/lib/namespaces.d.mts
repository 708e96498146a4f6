export function canMakeNamespaces(): boolean
export function ensureNamespaces(say: (sentence: string) => void): Promise<boolean>
