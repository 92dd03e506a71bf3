/** Where `run` and `check` look when nothing is named. */
export const DEFAULT_CONFIG = 'config/sallyport.yaml';
