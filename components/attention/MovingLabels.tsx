'use client';
import { type CSSProperties, memo, useLayoutEffect, useRef } from 'react';
import { LABEL_BASELINE, LABEL_GAP } from '../charts/axisLabels';
import { cut, displayToken } from '../charts/tokens';
import { usePixelRatio } from '../ui/measure';
import { type LabelsProps, type TokenAxis, useTokenAxes } from './tokenAxes';

/** Room for half a letter beyond both ends of an axis. */
const MARGIN = 8;

function draw(context: CanvasRenderingContext2D, axis: TokenAxis, style: CSSStyleDeclaration): void {
  const { labels, tokens, strong, fontSize, limit } = axis;
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const family = colour('--mono');
  context.textAlign = 'right';
  context.lineWidth = 1;
  context.lineJoin = 'round';
  for (const { token, at, away, leader, crossed } of labels) {
    const text = cut(displayToken(tokens[token].text), limit);
    const weight = strong(token) ? 600 : 400;
    if (leader) {
      context.fillStyle = colour('--line');
      context.fillRect(2 - away, Math.round(at), away - 2 - LABEL_GAP, 1);
    }
    context.font = `${weight} ${fontSize}px ${family}`;
    if (crossed) {
      context.lineWidth = 3;
      context.strokeStyle = colour('--bg');
      context.strokeText(text, -away, at + LABEL_BASELINE);
    }
    context.fillStyle = colour(strong(token) ? '--ink' : '--ink-2');
    context.fillText(text, -away, at + LABEL_BASELINE);
  }
}

/** One axis as pixels. `turned`: the axis runs to the right. */
function AxisCanvas(props: { axis: TokenAxis; length: number; depth: number; turned: boolean; style: CSSProperties }) {
  const { axis, length, depth, turned, style } = props;
  const ref = useRef<HTMLCanvasElement>(null);
  const ratio = usePixelRatio();
  const [width, height] = turned ? [length + 2 * MARGIN, depth] : [depth, length + 2 * MARGIN];
  useLayoutEffect(() => {
    const canvas = ref.current;
    const context = canvas?.getContext('2d');
    if (!canvas || !context) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    if (turned) context.setTransform(0, -ratio, ratio, 0, MARGIN * ratio, 0);
    else context.setTransform(ratio, 0, 0, ratio, depth * ratio, MARGIN * ratio);
    draw(context, axis, getComputedStyle(canvas));
  }, [axis, width, height, depth, ratio, turned]);
  return <canvas ref={ref} style={{ width, height, zIndex: 1, ...style }} />;
}

/**
 * The labels of a map while it is zoomed or moved. As SVG they are a hundred nodes to lay out a frame, most of a
 * frame's time; they come back as soon as the view rests.
 */
export const MovingLabels = memo(function MovingLabels(props: LabelsProps & { left: number; top: number }) {
  const { layout, frame, rows, left, top } = props;
  const { down, across } = useTokenAxes(props);
  const { size } = frame;
  const { gutter, columnLabelHeight } = layout;
  return (
    <>
      {rows && (
        <AxisCanvas
          axis={down}
          length={size}
          depth={gutter}
          turned={false}
          style={{ left: left - gutter, top: top - MARGIN }}
        />
      )}
      <AxisCanvas
        axis={across}
        length={size}
        depth={columnLabelHeight}
        turned
        style={{ left: left - MARGIN, top: top + size }}
      />
    </>
  );
});
