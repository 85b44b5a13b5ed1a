/** The Electron program; fetched or laid out first where it's missing. */
export function electronHost(): Promise<{ path: string; official: boolean; version: string }>;
