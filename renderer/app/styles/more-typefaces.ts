// Loaded after the window: what its first paint does not need.
// Korean and Chinese letters for machines without such a typeface, and for printed reports; cut into small files of which
// only those with letters that are shown get loaded.
import '@fontsource/noto-sans-kr/400.css';
import '@fontsource/noto-sans-sc/400.css';
// The variable typeface of the window can't be embedded in a PDF as a font, only as drawings: these are for reports.
import '@fontsource/inter/latin-400.css';
import '@fontsource/inter/latin-ext-400.css';
import '@fontsource/inter/latin-700.css';
import '@fontsource/inter/latin-ext-700.css';
