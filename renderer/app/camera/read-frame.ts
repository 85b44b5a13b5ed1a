import { i420Bytes, i420FromNv12, i420FromRgba, limitRange } from './frame.ts';

export interface ReadFrame {
  width: number;
  height: number;
  /** Limited range. */
  i420: Uint8Array<ArrayBuffer>;
}

/** Copies a frame out in the camera's own samples; other formats are converted. Does not close the frame. */
export async function readFrame(frame: VideoFrame): Promise<ReadFrame> {
  const width = frame.visibleRect?.width ?? frame.codedWidth;
  const height = frame.visibleRect?.height ?? frame.codedHeight;
  const half = Math.ceil(width / 2);
  const chroma = half * Math.ceil(height / 2);
  const luma = width * height;
  const bytes = new Uint8Array(i420Bytes(width, height));
  const limited = (i420: Uint8Array<ArrayBuffer>): ReadFrame => {
    if (frame.colorSpace.fullRange === true) limitRange(i420, width, height);
    return { width, height, i420 };
  };
  if (frame.format === 'I420') {
    const layout = [
      { offset: 0, stride: width },
      { offset: luma, stride: half },
      { offset: luma + chroma, stride: half },
    ];
    await frame.copyTo(bytes, { layout });
    return limited(bytes);
  }
  if (frame.format === 'NV12') {
    const layout = [
      { offset: 0, stride: width },
      { offset: luma, stride: 2 * half },
    ];
    await frame.copyTo(bytes, { layout });
    return limited(i420FromNv12(bytes, width, height) as Uint8Array<ArrayBuffer>);
  }
  return { width, height, i420: i420FromRgba(colours(frame, width, height), width, height) as Uint8Array<ArrayBuffer> };
}

function colours(frame: VideoFrame, width: number, height: number): Uint8ClampedArray {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  context.drawImage(frame, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}
