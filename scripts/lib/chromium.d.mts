export function findChromium(env?: NodeJS.ProcessEnv): string | undefined
export function ensureChromium(say: (sentence: string) => void): Promise<string | undefined>
