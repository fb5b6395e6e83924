// Cuts one photo to the three frames with sharp, once per line on stdin, and answers each with the milliseconds taken
// and the milliseconds of processor time that the process has used so far.
// When stdin ends it writes the renditions and tells its peak memory.
// usage: node sharp.js PHOTO THREADS MODE OUT
import { readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import sharp from 'sharp'

const [photo, threads, mode, out] = process.argv.slice(2)
const frames = [[1080, 1920], [1080, 1080], [1200, 675]]
const bytes = readFileSync(photo)

sharp.concurrency(Number(threads))
sharp.cache(false) // the same bytes come again and again; remembering the answer would be no work

const cut = (input, options, [width, height]) =>
  sharp(input, options)
    .resize(width, height, { fit: 'cover', position: 'centre' })
    .jpeg({ quality: 82, chromaSubsampling: '4:2:0', optimiseCoding: false })
    .toBuffer()

const modes = {
  // Three pipelines, each decoding for itself, reduced where the format allows.
  each: () => Promise.all(frames.map((frame) => cut(bytes, {}, frame))),
  // The same, one after the other.
  turns: async () => {
    const made = []
    for (const frame of frames) made.push(await cut(bytes, {}, frame))
    return made
  },
  // Decoded once, then three pipelines over the pixels.
  once: async () => {
    const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true })
    const raw = { width: info.width, height: info.height, channels: info.channels }
    return Promise.all(frames.map((frame) => cut(data, { raw }, frame)))
  },
}

let made = []
for await (const _ of createInterface({ input: process.stdin })) {
  const start = process.hrtime.bigint()
  made = await modes[mode]()
  const took = Number(process.hrtime.bigint() - start) / 1e6
  const { user, system } = process.cpuUsage()
  console.log(`${took} ${(user + system) / 1e3}`)
}
made.forEach((jpeg, at) => writeFileSync(`${out}/${at}.jpg`, jpeg))
console.log(readFileSync('/proc/self/status', 'utf8').match(/VmHWM:\s+(\d+) kB/)[1])
