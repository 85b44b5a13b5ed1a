import { coloursFromI420 } from '../../shared/frame/i420.ts';
import type { CameraFrame } from '../../shared/ipc/live.ts';
import type { Picture } from '../pictures/picture.ts';

/**
 * A camera's frame as the picture that is judged and kept.
 * @throws RangeError when its bytes do not fit its size
 */
export function pictureFromFrame(frame: Pick<CameraFrame, 'i420' | 'width' | 'height' | 'colours'>): Picture {
  const { i420, width, height, colours } = frame;
  const rgb = coloursFromI420(i420, width, height, colours, 3);
  return { width, height, data: new Uint8Array(rgb.buffer) };
}
