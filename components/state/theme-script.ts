/** Where the researcher's choice of theme is kept. */
export const THEME_KEY = 'statescope-theme';

/** Runs before the first paint, so that the page never flashes in the other theme. */
export const THEME_SCRIPT = `try{var t=localStorage.getItem('${THEME_KEY}')}catch(e){}document.documentElement.dataset.theme=t==='dark'||t==='light'?t:matchMedia('(prefers-color-scheme: dark)').matches?'dark':'light'`;
