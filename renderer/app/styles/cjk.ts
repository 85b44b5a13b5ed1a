// Korean and Chinese letters for machines without such a typeface, and for printed reports; cut into small files of which
// only those with letters that are shown get loaded.
import '@fontsource/noto-sans-kr/400.css';
import '@fontsource/noto-sans-sc/400.css';
