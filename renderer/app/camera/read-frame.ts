import {
  i420Bytes,
  i420FromNv12,
  i420FromRgba,
  type ColourMatrix,
  type FrameColours,
} from '../../../shared/frame/i420.ts';

export interface ReadFrame {
  width: number;
  height: number;
  i420: Uint8Array<ArrayBuffer>;
  /** What the samples mean, as the camera says it. */
  colours: FrameColours;
}

/** The matrices that WebCodecs names; USB cameras say nothing and mean BT.601 (USB Video Class, colour matching). */
const matrices: Readonly<Record<string, ColourMatrix>> = {
  bt709: 'bt709',
  bt470bg: 'bt601',
  smpte170m: 'bt601',
  'bt2020-ncl': 'bt2020',
};

/** What a frame's samples mean. */
export function coloursOf({ fullRange, matrix }: Pick<VideoColorSpace, 'fullRange' | 'matrix'>): FrameColours {
  return { range: fullRange === true ? 'full' : 'limited', matrix: matrices[matrix ?? ''] ?? 'bt601' };
}

/** Copies a frame out in the camera's own samples; other formats are converted. Does not close the frame. */
export async function readFrame(frame: VideoFrame): Promise<ReadFrame> {
  const width = frame.visibleRect?.width ?? frame.codedWidth;
  const height = frame.visibleRect?.height ?? frame.codedHeight;
  const half = Math.ceil(width / 2);
  const chroma = half * Math.ceil(height / 2);
  const luma = width * height;
  const bytes = new Uint8Array(i420Bytes(width, height));
  const colours = coloursOf(frame.colorSpace);
  if (frame.format === 'I420') {
    const layout = [
      { offset: 0, stride: width },
      { offset: luma, stride: half },
      { offset: luma + chroma, stride: half },
    ];
    await frame.copyTo(bytes, { layout });
    return { width, height, i420: bytes, colours };
  }
  if (frame.format === 'NV12') {
    const layout = [
      { offset: 0, stride: width },
      { offset: luma, stride: 2 * half },
    ];
    await frame.copyTo(bytes, { layout });
    return { width, height, i420: i420FromNv12(bytes, width, height), colours };
  }
  // Colours from the start: full range keeps the most of them.
  const made: FrameColours = { range: 'full', matrix: 'bt601' };
  const i420 = i420FromRgba(rgbaOf(frame, width, height), width, height, made);
  return { width, height, i420, colours: made };
}

function rgbaOf(frame: VideoFrame, width: number, height: number): Uint8ClampedArray {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  context.drawImage(frame, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}
